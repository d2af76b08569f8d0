#include "proxy/proxy_header.hpp"

#include <string>

#include "proxy/placeholder.hpp"

namespace portero::proxy {
namespace {

constexpr std::string_view signature("\r\n\r\n\0\r\nQUIT\n", 12);
constexpr char version_2_proxy = 0x21;
constexpr char tcp_over_ipv4 = 0x11;
constexpr char tcp_over_ipv6 = 0x21;
constexpr std::size_t ipv4_at = 12;  // in an address in IPv6 form

void append_number(std::string& out, std::uint16_t number) {
  out += static_cast<char>(number >> 8);
  out += static_cast<char>(number & 255);
}

void append_address(std::string& out, const IpAddress& address, bool as_v4) {
  const std::size_t from = as_v4 ? ipv4_at : 0;
  out.append(reinterpret_cast<const char*>(address.bytes.data()) + from,
             address.bytes.size() - from);
}

}  // namespace

std::string_view proxy_header(conf::ProxyProtocol version, http::Exchange& exchange) {
  if (version == conf::ProxyProtocol::none) return {};
  const http::ConnectionInfo& connection = exchange.connection;
  const IpAddress& client = exchange.request.client_ip;
  const bool as_v4 = client.is_v4() && connection.local.is_v4();
  // Behind another proxy the client's own port is not known.
  const std::uint16_t port = client == connection.peer ? connection.peer_port : 0;
  std::string header;
  if (version == conf::ProxyProtocol::v1) {
    header = as_v4 ? "PROXY TCP4 " : "PROXY TCP6 ";
    const auto text = [&](const IpAddress& address) {
      return as_v4 || !address.is_v4() ? address.to_string() : "::ffff:" + address.to_string();
    };
    header += text(client) + " " + text(connection.local) + " " + std::to_string(port) + " " +
              std::to_string(connection.local_port) + "\r\n";
    return exchange.arena.copy(header);
  }
  header = signature;
  header += version_2_proxy;
  header += as_v4 ? tcp_over_ipv4 : tcp_over_ipv6;
  std::string addresses;
  append_address(addresses, client, as_v4);
  append_address(addresses, connection.local, as_v4);
  append_number(addresses, port);
  append_number(addresses, connection.local_port);
  append_number(header, static_cast<std::uint16_t>(addresses.size()));
  header += addresses;
  return exchange.arena.copy(header);
}

}  // namespace portero::proxy
