// Upstream: what a pool of connections goes to, and how its name becomes addresses.
// Thread: values; resolve_blocking() never on a worker.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "conf/config.hpp"
#include "net/dial.hpp"

namespace portero::proxy {

// Per pool. As many connections as were in use in the last second or so are kept, at least the
// minimum: under load nobody dials anew, and after it the upstream gets its connections back.
constexpr std::size_t idle_connections_min = 64;
constexpr std::size_t idle_connections_max = 1024;

struct UpstreamSettings {
  std::string text;  // as written: "nginx:80", for people
  std::string host;  // "" for unix
  std::uint16_t port = 0;
  std::string unix_path;
  bool fastcgi = false;
  bool tls = false;
  std::string server_name;            // with TLS: who the upstream must prove to be
  std::string ca_file;                // PEM; "" = the system's roots
  bool insecure = false;              // accept any certificate
  Milliseconds idle{120'000};         // how long an unused connection is kept
  unsigned max_concurrent = 0;        // connections in use at a time; 0 = no limit
  std::string certificate_file = {};  // PEM: who this server is to the upstream; "" = nobody
  std::string key_file = {};
  bool http2 = false;
  conf::ProxyProtocol proxy_protocol = conf::ProxyProtocol::none;  // then nothing is kept

  // What makes two upstreams the same: pools with equal keys survive a reload.
  std::string key() const;
  // "host:port", as names are looked up; "" when there is no name.
  std::string name() const;
  // What an https upstream is called in Host: without its default port.
  std::string host_field() const;
};

UpstreamSettings upstream_settings(const conf::UpstreamAddress& address, const conf::Proxy& proxy);
UpstreamSettings upstream_settings(const conf::Php& php);

// The address when no look-up is needed: an IP address or a unix socket. Else nothing.
std::vector<net::SocketAddress> literal_addresses(const UpstreamSettings& settings);

// Looks a name up with the system's resolver; empty when it does not resolve. Blocks for seconds.
std::vector<net::SocketAddress> resolve_blocking(const std::string& host, std::uint16_t port);

bool same_address(const net::SocketAddress& a, const net::SocketAddress& b) noexcept;

}  // namespace portero::proxy
