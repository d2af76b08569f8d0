#include "generation.hpp"

#include <unistd.h>

#include <algorithm>

#include "base/atomic_file.hpp"
#include "base/ip_address.hpp"
#include "net/crypto.hpp"

namespace portero {
namespace {

using NamePeriods = std::map<UpstreamName, conf::Duration>;

void collect_name(const conf::UpstreamAddress& address, conf::Duration period, NamePeriods& names) {
  if (!address.unix_path.empty() || IpAddress::parse(address.host)) return;
  const auto [known, added] = names.try_emplace({address.host, address.port}, period);
  if (!added) known->second = std::min(known->second, period);
}

using Proxies = std::vector<const conf::Proxy*>;

void collect_proxies(const std::vector<conf::ErrorPage>& pages, Proxies& proxies) {
  for (const conf::ErrorPage& page : pages) {
    if (page.proxy) proxies.push_back(&*page.proxy);
  }
}

void collect_proxies(const std::vector<conf::Route>& routes, Proxies& proxies) {
  for (const conf::Route& route : routes) {
    if (route.proxy) proxies.push_back(&*route.proxy);
    collect_proxies(route.errors, proxies);
    collect_proxies(route.routes, proxies);
  }
}

// Every `proxy` of the configuration, those of error pages included.
Proxies proxies_of(const conf::Config& config) {
  Proxies proxies;
  for (const conf::Site& site : config.sites) {
    collect_proxies(site.routes, proxies);
    collect_proxies(site.errors, proxies);
  }
  return proxies;
}

void collect_names(const std::vector<conf::Route>& routes, NamePeriods& names) {
  const conf::Duration period = conf::Proxy().resolve;
  for (const conf::Route& route : routes) {
    if (route.php) collect_name(route.php->to, period, names);
    if (route.forward_auth) collect_name(route.forward_auth->to, period, names);
    collect_names(route.routes, names);
  }
}

// "auto": console on a terminal, JSON elsewhere.
http::AccessFormat access_format(const conf::AccessLog& settings) {
  const bool terminal = settings.file.empty() && ::isatty(STDERR_FILENO) == 1;
  const bool console = settings.format == "console" || (settings.format == "auto" && terminal);
  if (console) return http::AccessFormat::console;
  return settings.format == "combined" ? http::AccessFormat::combined : http::AccessFormat::json;
}

http::AccessLogSettings access_settings(const conf::AccessLog& settings) {
  constexpr int bad_request = 400;
  constexpr int server_error = 500;
  http::AccessLogSettings out;
  out.format = access_format(settings);
  if (settings.level == "warn") out.status_min = bad_request;
  if (settings.level == "error") out.status_min = server_error;
  for (const auto& [field, filter] : settings.filter) {
    out.filters.emplace_back(field, filter == conf::LogFilter::drop   ? http::AccessFilter::drop
                                    : filter == conf::LogFilter::hash ? http::AccessFilter::hash
                                                                      : http::AccessFilter::mask);
  }
  return out;
}

log::FileSettings file_settings(const conf::AccessLog& settings) {
  log::FileSettings out;
  out.mode = settings.mode;
  if (!settings.group.empty()) out.group = log::group_id(settings.group);
  if (settings.roll) {
    out.roll = log::RollSettings{settings.roll->size, settings.roll->age.count() / 1'000,
                                 settings.roll->keep, settings.roll->compress};
  }
  return out;
}

}  // namespace

std::map<UpstreamName, conf::Duration> upstream_names(const conf::Config& config) {
  NamePeriods names;
  for (const conf::Site& site : config.sites) collect_names(site.routes, names);
  for (const conf::Proxy* const proxy : proxies_of(config)) {
    for (const conf::UpstreamAddress& address : proxy->to) {
      collect_name(address, proxy->resolve, names);
    }
  }
  return names;
}

std::string load_cookie_key(const conf::Config& config) {
  const Proxies proxies = proxies_of(config);
  const auto uses_cookie = [](const conf::Proxy* proxy) { return proxy->balance == "cookie"; };
  if (std::none_of(proxies.begin(), proxies.end(), uses_cookie)) return {};
  const std::string path = config.storage + "/cookie.key";
  if (const std::optional<std::string> known = read_file(path); known && !known->empty()) {
    return *known;
  }
  constexpr std::size_t key_bytes = 32;
  const std::string key = net::sha256_hex(net::random_bytes(key_bytes));
  make_directories(config.storage);
  write_file_atomically(path, key, 0600);
  return key;
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
      const log::FileSettings settings = file_settings(site.log);
      if (!sink) sink = std::make_shared<log::FileSink>(site.log.file, settings);
      sink->set_settings(settings);
      log.sink = sink;
      log.settings = access_settings(site.log);
    }
    logs.push_back(std::move(log));
  }
  return logs;
}

}  // namespace portero
