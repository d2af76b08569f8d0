#include "generation.hpp"

#include <unistd.h>

#include <future>
#include <set>
#include <thread>

#include "base/ip_address.hpp"
#include "proxy/upstream.hpp"

namespace portero {
namespace {

using HostPort = std::pair<std::string, std::uint16_t>;

void collect_names(const std::vector<conf::Route>& routes, std::set<HostPort>& names) {
  for (const conf::Route& route : routes) {
    if (route.proxy) {
      for (const conf::UpstreamAddress& address : route.proxy->to) {
        if (!address.unix_path.empty() || IpAddress::parse(address.host)) continue;
        names.emplace(address.host, address.port);
      }
    }
    collect_names(route.routes, names);
  }
}

// "auto": console on a terminal, JSON elsewhere.
log::Format access_format(const conf::AccessLog& settings) {
  const bool terminal = settings.file.empty() && ::isatty(STDERR_FILENO) == 1;
  const bool console = settings.format == "console" || (settings.format == "auto" && terminal);
  return console ? log::Format::console : log::Format::json;
}

}  // namespace

std::vector<HostPort> upstream_names(const conf::Config& config) {
  std::set<HostPort> names;
  for (const conf::Site& site : config.sites) collect_names(site.routes, names);
  return {names.begin(), names.end()};
}

ResolvedNames resolve_names(const std::vector<HostPort>& names,
                            std::chrono::milliseconds wait_max) {
  const auto deadline = std::chrono::steady_clock::now() + wait_max;
  std::vector<std::future<std::vector<net::SocketAddress>>> lookups;
  for (const auto& [host, port] : names) {
    // A look-up cannot be stopped, so it runs on a thread of its own that may outlast the wait.
    std::promise<std::vector<net::SocketAddress>> promise;
    lookups.push_back(promise.get_future());
    std::thread([promise = std::move(promise), host = host, port = port]() mutable {
      promise.set_value(proxy::resolve_blocking(host, port));
    }).detach();
  }
  ResolvedNames resolved;
  for (std::size_t i = 0; i < names.size(); ++i) {
    if (lookups[i].wait_until(deadline) != std::future_status::ready) continue;
    std::vector<net::SocketAddress> found = lookups[i].get();
    if (found.empty()) continue;
    resolved[names[i].first + ":" + std::to_string(names[i].second)] = std::move(found);
  }
  return resolved;
}

std::vector<AccessLog> open_access_logs(const conf::Config& config, const Generation* previous) {
  std::map<std::string, std::shared_ptr<log::FileSink>> by_path;
  if (previous != nullptr) {
    for (const AccessLog& log : previous->access_logs) {
      if (log.sink) by_path[log.sink->path()] = log.sink;
    }
  }
  std::vector<AccessLog> logs;
  for (const conf::Site& site : config.sites) {
    AccessLog log;
    if (site.log.on) {
      std::shared_ptr<log::FileSink>& sink = by_path[site.log.file];
      if (!sink) sink = std::make_shared<log::FileSink>(site.log.file);
      log.sink = sink;
      log.format = access_format(site.log);
    }
    logs.push_back(std::move(log));
  }
  return logs;
}

}  // namespace portero
