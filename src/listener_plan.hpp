// Which sockets a configuration listens on. Pure.
// Thread: any.
#pragma once

#include <compare>
#include <cstdint>
#include <string>
#include <vector>

#include "conf/config.hpp"

namespace portero {

enum class ListenerKind : std::uint8_t {
  plain,  // HTTP; also answers the redirect to https for TLS sites
  tls,
  hub,  // hub.listen: plain HTTP and WebSockets of the hub alone, on loopback
};

struct ListenerSpec {
  std::string address;  // "0.0.0.0", "[::]", "127.0.0.1"
  std::uint16_t port = 0;
  ListenerKind kind = ListenerKind::plain;

  friend auto operator<=>(const ListenerSpec&, const ListenerSpec&) = default;
  std::string to_string() const;  // "0.0.0.0:443 tls"
};

// The port a site name is served on, and whether with TLS.
struct Endpoint {
  std::uint16_t port = 0;
  bool tls = false;
};
Endpoint endpoint_of(const conf::Config& config, const conf::Site& site,
                     const conf::SiteName& name);

// Every socket the configuration needs, sorted, each once: `bind` × the ports of all sites, the
// plain port for redirects when any site has TLS on https_port, and hub.listen.
std::vector<ListenerSpec> plan_listeners(const conf::Config& config);

}  // namespace portero
