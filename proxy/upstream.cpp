#include "proxy/upstream.hpp"

#include <arpa/nameser.h>
#include <netdb.h>
#include <resolv.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <cstring>

namespace portero::proxy {
namespace {

constexpr std::uint16_t https_port = 443;
constexpr std::uint16_t http_port = 80;
constexpr std::size_t addresses_max = 64;
// PHP-FPM gives a whole process to a connection, idle or not, and another worker may wait for it:
// a connection is kept only while there is something to do.
constexpr Milliseconds fastcgi_idle{200};

// What SRV records of the lowest priority lead to, the heaviest first. Source: RFC 2782.
std::vector<net::SocketAddress> resolve_srv(const std::string& name) {
  struct __res_state state {};
  if (::res_ninit(&state) != 0) return {};
  std::array<unsigned char, 64 * 1024> answer;
  const int size = ::res_nquery(&state, name.c_str(), ns_c_in, ns_t_srv, answer.data(),
                                static_cast<int>(answer.size()));
  ::res_nclose(&state);
  ns_msg message;
  if (size < 0 || ::ns_initparse(answer.data(), size, &message) != 0) return {};
  struct Record {
    unsigned priority;
    unsigned weight;
    std::uint16_t port;
    std::string target;
  };
  std::vector<Record> records;
  for (int i = 0; i < ns_msg_count(message, ns_s_an); ++i) {
    ns_rr record;
    constexpr int fixed_bytes = 6;
    std::array<char, NS_MAXDNAME> target;
    if (::ns_parserr(&message, ns_s_an, i, &record) != 0 || ns_rr_type(record) != ns_t_srv ||
        ns_rr_rdlen(record) <= fixed_bytes) {
      continue;
    }
    const unsigned char* const data = ns_rr_rdata(record);
    if (::dn_expand(ns_msg_base(message), ns_msg_end(message), data + fixed_bytes, target.data(),
                    static_cast<int>(target.size())) < 0) {
      continue;
    }
    records.push_back({ns_get16(data), ns_get16(data + 2),
                       static_cast<std::uint16_t>(ns_get16(data + 4)), target.data()});
  }
  std::sort(records.begin(), records.end(), [](const Record& a, const Record& b) {
    return a.priority != b.priority ? a.priority < b.priority : a.weight > b.weight;
  });
  std::vector<net::SocketAddress> found;
  for (const Record& record : records) {
    if (record.priority != records.front().priority && !found.empty()) break;
    for (const net::SocketAddress& address : resolve_blocking(record.target, record.port)) {
      if (found.size() < addresses_max) found.push_back(address);
    }
  }
  return found;
}

}  // namespace

std::string UpstreamSettings::key() const {
  std::string key = fastcgi ? "fastcgi " : tls ? "https " : "http ";
  key += unix_path.empty() ? name() : "unix:" + unix_path;
  if (tls)
    key +=
        " " + server_name + " " + ca_file + (insecure ? " insecure" : "") + " " + certificate_file;
  if (http2) key += " HTTP/2";
  if (proxy_protocol == conf::ProxyProtocol::v1) key += " PROXY v1";
  if (proxy_protocol == conf::ProxyProtocol::v2) key += " PROXY v2";
  return key;
}

std::string UpstreamSettings::name() const {
  return host.empty() ? std::string() : host + ":" + std::to_string(port);
}

std::string UpstreamSettings::host_field() const {
  if (host.empty()) return server_name.empty() ? "localhost" : server_name;
  const bool is_default = port == (tls ? https_port : http_port);
  const bool is_bare_v6 = host.find(':') != std::string::npos && host.front() != '[';
  const std::string name = is_bare_v6 ? "[" + host + "]" : host;
  return is_default ? name : name + ":" + std::to_string(port);
}

UpstreamSettings upstream_settings(const conf::UpstreamAddress& address, const conf::Proxy& proxy) {
  UpstreamSettings settings;
  settings.text = address.text;
  settings.host = address.host;
  settings.port = address.port;
  settings.unix_path = address.unix_path;
  settings.tls = address.tls;
  settings.server_name = proxy.tls.server_name.empty() ? address.host : proxy.tls.server_name;
  settings.ca_file = proxy.tls.ca;
  settings.insecure = proxy.tls.insecure;
  settings.certificate_file = proxy.tls.cert;
  settings.key_file = proxy.tls.key;
  settings.proxy_protocol = proxy.proxy_protocol;
  settings.http2 = proxy.http2;
  settings.idle = proxy.timeouts.idle;
  settings.max_concurrent = proxy.max_concurrent;
  return settings;
}

UpstreamSettings upstream_settings(const conf::Php& php) {
  UpstreamSettings settings;
  settings.text = php.to.text;
  settings.host = php.to.host;
  settings.port = php.to.port;
  settings.unix_path = php.to.unix_path;
  settings.fastcgi = true;
  settings.idle = fastcgi_idle;
  settings.max_concurrent = php.max_concurrent;
  return settings;
}

std::vector<net::SocketAddress> literal_addresses(const UpstreamSettings& settings) {
  if (!settings.unix_path.empty()) {
    const Result<net::SocketAddress> path = net::SocketAddress::from_unix_path(settings.unix_path);
    if (path) return {*path};
    return {};
  }
  const std::optional<IpAddress> ip = IpAddress::parse(settings.host);
  if (ip) return {net::SocketAddress::from_ip(*ip, settings.port)};
  return {};
}

std::vector<net::SocketAddress> resolve_blocking(const std::string& host, std::uint16_t port) {
  if (host.starts_with('_')) return resolve_srv(host);
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* list = nullptr;
  const std::string service = std::to_string(port);
  if (::getaddrinfo(host.c_str(), service.c_str(), &hints, &list) != 0) return {};
  std::vector<net::SocketAddress> found;
  for (const addrinfo* at = list; at != nullptr && found.size() < addresses_max; at = at->ai_next) {
    if (at->ai_family != AF_INET && at->ai_family != AF_INET6) continue;
    net::SocketAddress address;
    std::memcpy(&address.storage, at->ai_addr, at->ai_addrlen);
    address.length = at->ai_addrlen;
    const bool is_known = std::any_of(found.begin(), found.end(), [&](const auto& other) {
      return same_address(other, address);
    });
    if (!is_known) found.push_back(address);
  }
  ::freeaddrinfo(list);
  return found;
}

bool same_address(const net::SocketAddress& a, const net::SocketAddress& b) noexcept {
  if (a.is_unix() || b.is_unix()) {
    return a.length == b.length && std::memcmp(&a.storage, &b.storage, a.length) == 0;
  }
  return a.storage.ss_family == b.storage.ss_family && a.ip() == b.ip() && a.port() == b.port();
}

}  // namespace portero::proxy
