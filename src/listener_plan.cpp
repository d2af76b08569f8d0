#include "listener_plan.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

namespace portero {
namespace {

std::string_view kind_text(ListenerKind kind) {
  switch (kind) {
    case ListenerKind::plain: return "http";
    case ListenerKind::tls: return "https";
    case ListenerKind::hub: break;
  }
  return "hub";
}

}  // namespace

std::string ListenerSpec::to_string() const {
  return fmt::format("{}:{} {}", address, port, kind_text(kind));
}

Endpoint endpoint_of(const conf::Config& config, const conf::Site& site,
                     const conf::SiteName& name) {
  const bool named_certificate =
      site.tls.mode == conf::TlsMode::files || site.tls.mode == conf::TlsMode::internal;
  const bool plain = name.plain_http || site.tls.mode == conf::TlsMode::off ||
                     (name.port != 0 && name.port == config.http_port) ||
                     (name.host.empty() && name.port != config.https_port && !named_certificate);
  if (name.port != 0) return {name.port, !plain};
  return {plain ? config.http_port : config.https_port, !plain};
}

std::vector<ListenerSpec> plan_listeners(const conf::Config& config) {
  std::set<ListenerSpec> specs;
  const auto add = [&](std::uint16_t port, ListenerKind kind) {
    for (const std::string& address : config.bind) specs.insert({address, port, kind});
  };
  for (const conf::Site& site : config.sites) {
    for (const conf::SiteName& name : site.names) {
      const Endpoint endpoint = endpoint_of(config, site, name);
      add(endpoint.port, endpoint.tls ? ListenerKind::tls : ListenerKind::plain);
      if (endpoint.tls && endpoint.port == config.https_port) {
        add(config.http_port, ListenerKind::plain);
      }
    }
  }
  if (!config.hub.listen.empty()) {
    const std::size_t colon = config.hub.listen.rfind(':');
    const auto port = static_cast<std::uint16_t>(std::stoi(config.hub.listen.substr(colon + 1)));
    specs.insert({config.hub.listen.substr(0, colon), port, ListenerKind::hub});
  }
  return {specs.begin(), specs.end()};
}

}  // namespace portero
