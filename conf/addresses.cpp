#include "conf/addresses.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace portero::conf {
namespace {

constexpr std::size_t host_bytes_max = 253;  // RFC 1035 §2.3.4, without the last dot
constexpr std::size_t label_bytes_max = 63;  // RFC 1035 §2.3.4
constexpr std::size_t unix_path_bytes_max = 107;

// RFC 1918, RFC 4193 and the machine itself.
constexpr std::array<std::string_view, 6> private_networks = {
    "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "127.0.0.0/8", "fc00::/7", "::1/128"};
constexpr std::array<std::string_view, 2> loopback_networks = {"127.0.0.0/8", "::1/128"};
// Source: https://www.cloudflare.com/ips/ (changes about once in several years).
constexpr std::array<std::string_view, 22> cloudflare_networks = {
    "173.245.48.0/20",  "103.21.244.0/22", "103.22.200.0/22", "103.31.4.0/22",    "141.101.64.0/18",
    "108.162.192.0/18", "190.93.240.0/20", "188.114.96.0/20", "197.234.240.0/22", "198.41.128.0/17",
    "162.158.0.0/15",   "104.16.0.0/13",   "104.24.0.0/14",   "172.64.0.0/13",    "131.0.72.0/22",
    "2400:cb00::/32",   "2606:4700::/32",  "2803:f800::/32",  "2405:b500::/32",   "2405:8100::/32",
    "2a06:98c0::/29",   "2c0f:f248::/32"};

constexpr std::array<std::string_view, 5> internal_suffixes = {".localhost", ".test", ".internal",
                                                               ".local", ".home.arpa"};

UnitError refuse(std::string message, std::string suggestion = {}) {
  return {std::move(message), std::move(suggestion)};
}

// Only digits and dots: an IPv4 address or a mistake, never a name.
bool looks_like_ipv4(std::string_view host) {
  return !host.empty() && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > label_bytes_max) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(), [](char c) {
    const char lower = ascii_lower(c);
    return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
  });
}

bool is_host_name(std::string_view host) {
  if (host.empty() || host.size() > host_bytes_max) return false;
  while (true) {
    const std::size_t dot = host.find('.');
    if (!is_label(host.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    host.remove_prefix(dot + 1);
  }
}

bool is_bracketed_ipv6(std::string_view host) {
  return host.size() > 2 && host.front() == '[' && host.back() == ']' &&
         host.find(':') != std::string_view::npos && IpAddress::parse(host).has_value();
}

// Why `host` names no machine; nullopt when it does.
std::optional<UnitError> check_host(std::string_view host) {
  if (is_bracketed_ipv6(host)) return std::nullopt;
  if (looks_like_ipv4(host)) {
    if (IpAddress::parse(host)) return std::nullopt;
    return refuse(fmt::format("\"{}\" is not an IPv4 address", host));
  }
  if (is_host_name(host)) return std::nullopt;
  const auto is_ascii = [](char c) { return static_cast<unsigned char>(c) < 0x80; };
  if (!std::all_of(host.begin(), host.end(), is_ascii)) {
    return refuse(fmt::format("\"{}\" has letters outside ASCII: write its xn-- form", host));
  }
  if (IpAddress::parse(host)) {
    return refuse("an IPv6 address stands in brackets", fmt::format("[{}]", host));
  }
  return refuse(fmt::format("\"{}\" is not a host name", host));
}

// "host", ":port" or "host:port"; an IPv6 host keeps its brackets.
struct HostPort {
  std::string_view host;
  std::string_view port;
  bool has_port = false;
};

HostPort split_host_port(std::string_view text) {
  const std::size_t bracket = text.find(']');
  const std::size_t colon = text.find(':', bracket == std::string_view::npos ? 0 : bracket);
  if (colon == std::string_view::npos) return {text, {}, false};
  return {text.substr(0, colon), text.substr(colon + 1), true};
}

Parsed<std::uint16_t> parse_port(std::string_view text) {
  const std::optional<std::uint64_t> port = parse_decimal(text);
  if (!port || *port == 0 || *port > 65535) {
    return refuse(fmt::format("\"{}\" is not a port (1–65535)", text));
  }
  return static_cast<std::uint16_t>(*port);
}

// Takes "scheme://" off the front; "" when there is none.
std::string_view take_scheme(std::string_view& text) {
  const std::size_t end = text.find("://");
  if (end == std::string_view::npos) return {};
  const std::string_view scheme = text.substr(0, end);
  text.remove_prefix(end + 3);
  return scheme;
}

Parsed<UpstreamAddress> parse_unix_upstream(std::string_view text) {
  const Parsed<std::string> path = parse_unix(text);
  if (!path) return path.error();
  UpstreamAddress address;
  address.unix_path = *path;
  address.text = std::string(text);
  return address;
}

UnitError refuse_upstream_scheme(std::string_view scheme, std::string_view rest) {
  if (scheme == "ws" || scheme == "wss") {
    return refuse("WebSockets pass through http:// and https:// upstreams",
                  fmt::format("{}://{}", scheme == "ws" ? "http" : "https", rest));
  }
  return refuse(fmt::format("\"{}://\" is not a kind of upstream", scheme),
                fmt::format("http://{}", rest));
}

// Only a network's own name may stand for several.
std::optional<std::vector<std::string>> named_networks(std::string_view name) {
  const auto copy = [](const auto& list) {
    return std::vector<std::string>(list.begin(), list.end());
  };
  if (name == "private") return copy(private_networks);
  if (name == "loopback") return copy(loopback_networks);
  if (name == "cloudflare") return copy(cloudflare_networks);
  return std::nullopt;
}

}  // namespace

Parsed<std::vector<std::string>> parse_networks(std::string_view text) {
  if (std::optional<std::vector<std::string>> named = named_networks(text)) return *named;
  if (IpNetwork::parse(text)) return std::vector<std::string>{std::string(text)};
  for (const std::string_view name : {"private", "loopback", "cloudflare"}) {
    if (edit_distance(text, name, 2) <= 2) {
      return refuse(fmt::format("\"{}\" is not a network", text), std::string(name));
    }
  }
  return refuse(fmt::format("\"{}\" is not an IP address or network", text));
}

// "srv://_http._tcp.app.internal": hosts and ports come from SRV records (RFC 2782).
static Parsed<UpstreamAddress> parse_srv_upstream(std::string_view text) {
  const std::string_view name = text.substr(std::string_view("srv://").size());
  if (!name.starts_with('_') || name.find_first_of(":/?# ") != std::string_view::npos) {
    return refuse("the name of SRV records begins with a service, and has no port",
                  "srv://_http._tcp.app.internal");
  }
  UpstreamAddress address;
  address.host = to_lower(name);
  address.text = std::string(text);
  return address;
}

Parsed<UpstreamAddress> parse_upstream(std::string_view text) {
  if (text.starts_with("srv://")) return parse_srv_upstream(text);
  if (text.starts_with("unix:")) return parse_unix_upstream(text);
  if (text.find('{') != std::string_view::npos) {
    return refuse("an upstream is fixed: a placeholder would let clients choose it");
  }
  std::string_view rest = text;
  const std::string scheme = to_lower(take_scheme(rest));
  if (!scheme.empty() && scheme != "http" && scheme != "https") {
    return refuse_upstream_scheme(scheme, rest);
  }
  const std::size_t slash = rest.find_first_of("/?#");
  if (slash != std::string_view::npos) {
    return refuse("an upstream has no path; `strip_prefix` and `rewrite` change the path",
                  std::string(text.substr(0, text.size() - rest.size() + slash)));
  }
  const HostPort parts = split_host_port(rest);
  UpstreamAddress address;
  address.tls = scheme == "https";
  address.text = std::string(text);
  address.host = parts.host.empty() && parts.has_port ? "127.0.0.1" : to_lower(parts.host);
  if (parse_port(rest)) return refuse("the host is missing", fmt::format("127.0.0.1:{}", rest));
  if (const std::optional<UnitError> error = check_host(address.host)) return *error;
  if (!parts.has_port) {
    if (scheme.empty()) return refuse("the port is missing", fmt::format("{}:80", rest));
    address.port = address.tls ? 443 : 80;
    return address;
  }
  const Parsed<std::uint16_t> port = parse_port(parts.port);
  if (!port) return port.error();
  address.port = *port;
  return address;
}

Parsed<UpstreamAddress> parse_fastcgi(std::string_view text) {
  if (text.starts_with('/')) {
    return refuse("a unix socket is written with unix:", fmt::format("unix:{}", text));
  }
  std::string_view rest = text;
  const std::string scheme = to_lower(take_scheme(rest));
  if (scheme == "http" || scheme == "https") {
    return refuse("PHP-FPM speaks FastCGI, not HTTP; `proxy` is for HTTP servers",
                  std::string(rest));
  }
  if (!scheme.empty()) return refuse("the address stands without a scheme", std::string(rest));
  const bool is_host = rest.find_first_of(":/{") == std::string_view::npos && !parse_port(rest);
  if (is_host) return refuse("the port is missing", fmt::format("{}:9000", rest));
  return parse_upstream(text);
}

Parsed<ParsedSiteName> parse_site_name(std::string_view text) {
  std::string_view rest = text;
  const std::string scheme = to_lower(take_scheme(rest));
  if (!scheme.empty() && scheme != "http" && scheme != "https") {
    return refuse(fmt::format("\"{}://\" is not a site's scheme", scheme), std::string(rest));
  }
  const std::size_t slash = rest.find('/');
  if (slash != std::string_view::npos) {
    return refuse("a site's name has no path; paths belong in `match`",
                  std::string(text.substr(0, text.size() - rest.size() + slash)));
  }
  const HostPort parts = split_host_port(rest);
  ParsedSiteName site;
  site.https = scheme == "https";
  site.name.plain_http = scheme == "http";
  site.name.text = std::string(text);
  site.name.host = to_lower(parts.host);
  if (site.name.host.ends_with('.')) site.name.host.pop_back();
  if (parts.has_port) {
    const Parsed<std::uint16_t> port = parse_port(parts.port);
    if (!port) return port.error();
    site.name.port = *port;
  }
  std::string_view host = site.name.host;
  if (host.empty() && parts.has_port) return site;
  if (host == "*") return refuse("\"*\" alone names no site; a port alone takes any name", ":443");
  if (host.starts_with("*.")) host.remove_prefix(2);
  if (const std::optional<UnitError> error = check_host(host)) return *error;
  return site;
}

std::vector<std::string_view> split_site_names(std::string_view key) {
  std::vector<std::string_view> names;
  while (true) {
    const std::size_t comma = key.find(',');
    names.push_back(trim_ows(key.substr(0, comma)));
    if (comma == std::string_view::npos) return names;
    key.remove_prefix(comma + 1);
  }
}

std::string ListenAddress::text() const { return fmt::format("{}:{}", host, port); }

Parsed<ListenAddress> parse_listen(std::string_view text) {
  if (parse_port(text)) return refuse("the address is missing", fmt::format("127.0.0.1:{}", text));
  const HostPort parts = split_host_port(text);
  if (!parts.has_port) return refuse("the port is missing", fmt::format("{}:8080", text));
  const Parsed<std::uint16_t> port = parse_port(parts.port);
  if (!port) return port.error();
  ListenAddress address;
  address.port = *port;
  address.host = std::string(parts.host);
  if (address.host.empty()) address.host = "0.0.0.0";
  if (iequals(address.host, "localhost")) address.host = "127.0.0.1";
  const std::optional<IpAddress> ip = IpAddress::parse(address.host);
  if (!ip) return refuse(fmt::format("\"{}\" is not an IP address", parts.host));
  address.loopback = ip->is_loopback();
  return address;
}

Parsed<std::string> parse_bind(std::string_view text) {
  if (iequals(text, "localhost")) {
    return refuse("\"localhost\" is a name, not an address", "127.0.0.1");
  }
  const std::optional<IpAddress> ip = IpAddress::parse(text);
  if (!ip) return refuse(fmt::format("\"{}\" is not an IP address", text));
  if (text.front() == '[' || text.find(':') == std::string_view::npos) return std::string(text);
  return fmt::format("[{}]", text);
}

Parsed<std::string> parse_unix(std::string_view text) {
  if (!text.starts_with("unix:")) return refuse(fmt::format("\"{}\" is not a unix socket", text));
  std::string_view path = text.substr(5);
  while (path.starts_with("//")) path.remove_prefix(1);  // unix:///run/x.sock
  if (!path.starts_with('/')) {
    return refuse("a unix socket has an absolute path", fmt::format("unix:/{}", path));
  }
  if (path.size() > unix_path_bytes_max) {
    return refuse(fmt::format("the path of a unix socket has at most {} bytes, this one {}",
                              unix_path_bytes_max, path.size()));
  }
  return std::string(path);
}

Parsed<std::string> parse_host_pattern(std::string_view text) {
  const std::size_t scheme = text.find("://");
  if (scheme != std::string_view::npos) {
    const HostPort parts = split_host_port(text.substr(scheme + 3));
    return refuse("only the host is compared, without scheme and port", std::string(parts.host));
  }
  if (split_host_port(text).has_port) {
    return refuse("only the host is compared, without the port",
                  std::string(split_host_port(text).host));
  }
  std::string sample(text);  // a name that the pattern matches
  std::replace(sample.begin(), sample.end(), '*', 'x');
  if (check_host(sample)) return refuse(fmt::format("\"{}\" is not a host name", text));
  return to_lower(text);
}

bool is_internal_name(std::string_view host) {
  if (IpAddress::parse(host) || host.find('.') == std::string_view::npos) return true;
  return std::any_of(internal_suffixes.begin(), internal_suffixes.end(),
                     [&](std::string_view suffix) { return host.ends_with(suffix); });
}

}  // namespace portero::conf
