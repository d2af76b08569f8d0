// The addresses and names of the site file: networks, upstreams, listeners, site names. Pure; no
// name is looked up here.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "conf/units.hpp"

namespace portero::conf {

// Parses "10.0.0.0/8", "::1" or a named list: `private`, `loopback`, `cloudflare`. A name gives
// all of its networks, an address itself.
Parsed<std::vector<std::string>> parse_networks(std::string_view text);

// Parses "nginx:80", "[::1]:80", ":9000" (this machine), "http://host", "https://host:8443" or
// "unix:/run/x.sock". Limits: a unix path has at most 107 bytes (sun_path).
Parsed<UpstreamAddress> parse_upstream(std::string_view text);

// Parses where PHP-FPM listens: "unix:/run/php/php8.2-fpm.sock", "127.0.0.1:9000", "php:9000".
Parsed<UpstreamAddress> parse_fastcgi(std::string_view text);

// Parses one site name: "example.com", "*.example.com", "http://plain.example.com", ":8080",
// "localhost:8443", "[::1]:8443". Case is folded, a dot at the end removed.
// plain_http is set for http:// only; what a port or `tls: off` means is decided by the loader.
struct ParsedSiteName {
  SiteName name;
  bool https = false;  // written with https://
};
Parsed<ParsedSiteName> parse_site_name(std::string_view text);

// Splits the key of a site block at its commas.
std::vector<std::string_view> split_site_names(std::string_view key);

// An IP address and a port to listen on.
struct ListenAddress {
  std::string host;  // "127.0.0.1", "[::1]", "0.0.0.0"
  std::uint16_t port = 0;
  bool loopback = false;
  std::string text() const;
};
// Parses "127.0.0.1:8080", "[::1]:8080", "localhost:8080" (127.0.0.1), ":8080" (every address).
Parsed<ListenAddress> parse_listen(std::string_view text);

// Parses an address to bind: "0.0.0.0", "::1" or "[::]"; IPv6 comes back in brackets.
Parsed<std::string> parse_bind(std::string_view text);

// Parses the path of "unix:/run/x.sock".
Parsed<std::string> parse_unix(std::string_view text);

// A pattern for host names, "*" for any characters: "example.com", "*.example.com", "*".
Parsed<std::string> parse_host_pattern(std::string_view text);

// Whether no public certificate authority would sign for this name: IP addresses, names without a
// dot, localhost, .localhost, .test, .internal, .local, .home.arpa.
bool is_internal_name(std::string_view host);

}  // namespace portero::conf
