// Connects to an upstream: TCP (IPv4, IPv6) or a unix socket.
// Thread: the worker whose loop is given.
#pragma once

#include <sys/socket.h>

#include <memory>
#include <string>

#include "base/ip_address.hpp"
#include "net/tcp_stream.hpp"

namespace portero::net {

// Where to connect to, resolved already: names are looked up outside the event loop.
struct SocketAddress {
  sockaddr_storage storage{};
  socklen_t length = 0;

  static SocketAddress from_ip(const IpAddress& address, std::uint16_t port) noexcept;
  // Errors: host_unreachable when the path does not fit sun_path (107 bytes).
  static Result<SocketAddress> from_unix_path(std::string_view path) noexcept;
  // Reads back what accept/getsockname filled in; the IPv6 form of the address, port 0 for unix.
  IpAddress ip() const noexcept;
  std::uint16_t port() const noexcept;
  bool is_unix() const noexcept { return storage.ss_family == AF_UNIX; }
  std::string to_string() const;  // "192.0.2.1:80", "[2001:db8::1]:80", "unix:/run/x.sock"
};

// Errors: connection_refused, host_unreachable, timeout_connect, too_many_descriptors.
Task<Result<std::unique_ptr<TcpStream>>> dial(Loop& loop, SocketAddress address,
                                              Milliseconds timeout);

}  // namespace portero::net
