#include "generation.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/ip_address.hpp"

namespace portero {
namespace {

using NamePeriods = std::map<UpstreamName, conf::Duration>;

void collect_name(const conf::UpstreamAddress& address, conf::Duration period, NamePeriods& names) {
  if (!address.unix_path.empty() || IpAddress::parse(address.host)) return;
  const auto [known, added] = names.try_emplace({address.host, address.port}, period);
  if (!added) known->second = std::min(known->second, period);
}

void collect_names(const std::vector<conf::Route>& routes, NamePeriods& names) {
  for (const conf::Route& route : routes) {
    if (route.proxy) {
      for (const conf::UpstreamAddress& address : route.proxy->to) {
        collect_name(address, route.proxy->resolve, names);
      }
    }
    if (route.php) collect_name(route.php->to, conf::Proxy().resolve, names);
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

std::map<UpstreamName, conf::Duration> upstream_names(const conf::Config& config) {
  NamePeriods names;
  for (const conf::Site& site : config.sites) collect_names(site.routes, names);
  return names;
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
