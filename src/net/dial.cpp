#include "net/dial.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/un.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/bytes.hpp"

namespace portero::net {

SocketAddress SocketAddress::from_ip(const IpAddress& address, std::uint16_t port) noexcept {
  SocketAddress out;
  if (address.is_v4()) {
    sockaddr_in v4{};
    v4.sin_family = AF_INET;
    v4.sin_port = htons(port);
    std::memcpy(&v4.sin_addr, address.bytes.data() + 12, sizeof v4.sin_addr);
    std::memcpy(&out.storage, &v4, sizeof v4);
    out.length = sizeof v4;
  } else {
    sockaddr_in6 v6{};
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(port);
    std::memcpy(&v6.sin6_addr, address.bytes.data(), sizeof v6.sin6_addr);
    std::memcpy(&out.storage, &v6, sizeof v6);
    out.length = sizeof v6;
  }
  return out;
}

Result<SocketAddress> SocketAddress::from_unix_path(std::string_view path) noexcept {
  sockaddr_un local{};
  if (path.size() >= sizeof local.sun_path) return Error(Errc::host_unreachable, ENAMETOOLONG);
  local.sun_family = AF_UNIX;
  std::copy(path.begin(), path.end(), local.sun_path);
  SocketAddress out;
  std::memcpy(&out.storage, &local, sizeof local);
  out.length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return out;
}

IpAddress SocketAddress::ip() const noexcept {
  IpAddress address;
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(address.bytes.data() + 12, &v4.sin_addr, sizeof v4.sin_addr);
  } else if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    std::memcpy(address.bytes.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
  }
  return address;
}

std::uint16_t SocketAddress::port() const noexcept {
  if (storage.ss_family == AF_INET) {
    sockaddr_in v4{};
    std::memcpy(&v4, &storage, sizeof v4);
    return ntohs(v4.sin_port);
  }
  if (storage.ss_family == AF_INET6) {
    sockaddr_in6 v6{};
    std::memcpy(&v6, &storage, sizeof v6);
    return ntohs(v6.sin6_port);
  }
  return 0;
}

std::string SocketAddress::to_string() const {
  if (is_unix()) {
    sockaddr_un local{};
    std::memcpy(&local, &storage, sizeof local);
    return "unix:" + std::string(local.sun_path);
  }
  const IpAddress address = ip();
  const std::string host = address.is_v4() ? address.to_string() : "[" + address.to_string() + "]";
  return host + ":" + std::to_string(port());
}

namespace {

// While connecting, the kernel's own patience is a connect timeout like ours.
Error connect_error(int os_error) noexcept {
  if (os_error == ETIMEDOUT) return {Errc::timeout_connect, os_error};
  return error_from_errno(os_error);
}

}  // namespace

Task<Result<std::unique_ptr<TcpStream>>> dial(Loop& loop, SocketAddress address,
                                              Milliseconds timeout) {
  Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) co_return error_from_errno(errno);
  const int fd = socket.get();
  if (!address.is_unix()) {
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }
  const int connected =
      ::connect(fd, reinterpret_cast<const sockaddr*>(&address.storage), address.length);
  const int connect_errno = connected == 0 ? 0 : errno;
  // EAGAIN from a unix socket means that its backlog is full, not that it will connect later.
  if (connect_errno == EAGAIN) co_return Error(Errc::connection_refused, EAGAIN);
  if (connect_errno != 0 && connect_errno != EINPROGRESS) co_return connect_error(connect_errno);

  const SocketKind kind = address.is_unix() ? SocketKind::local : SocketKind::tcp;
  auto stream = std::make_unique<TcpStream>(loop, std::move(socket), kind);
  if (connect_errno == EINPROGRESS) {
    Deadline deadline(*stream);
    deadline.arm(loop.timers(), timeout, Errc::timeout_connect);
    co_await stream->writable();
    if (stream->failure() != Errc::ok) co_return stream->failure();
    int status = 0;
    socklen_t size = sizeof status;
    ::getsockopt(fd, SOL_SOCKET, SO_ERROR, &status, &size);
    if (status != 0) co_return connect_error(status);
  }
  co_return std::move(stream);
}

}  // namespace portero::net
