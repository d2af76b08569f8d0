#include "net/listener.hpp"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>
#include <optional>

#include "base/assert.hpp"
#include "base/log.hpp"

namespace portero::net {
namespace {

constexpr int backlog_max = 4096;
constexpr std::int64_t log_interval_ms = 1000;

std::string place_of(const std::string& address, std::uint16_t port) {
  return address + ":" + std::to_string(port);
}

std::string explain(int os_error, const std::string& address, std::uint16_t port) {
  const std::string number = std::to_string(port);
  std::string text = "cannot listen on " + place_of(address, port) + ": ";
  switch (os_error) {
    case EADDRINUSE:
      return text + "another program uses the port; `ss -ltnp 'sport = :" + number + "'` names it";
    case EACCES:
      return text + "ports below 1024 need the right to: run under the packaged systemd unit, or " +
             "give the binary CAP_NET_BIND_SERVICE, or choose a higher port";
    case EADDRNOTAVAIL: return text + "this machine has no such address";
    case EAFNOSUPPORT: return text + "the kernel has IPv6 switched off; leave [::] out of `bind`";
    default: return text + std::strerror(os_error);
  }
}

void set_option(int fd, int level, int name) noexcept {
  const int on = 1;
  ::setsockopt(fd, level, name, &on, sizeof on);
}

// Returns a bound socket; when it is not open, errno says why.
Fd bind_socket(const SocketAddress& address, bool shared) {
  const int family = address.storage.ss_family;
  Fd socket(::socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!socket.is_open()) return socket;
  set_option(socket.get(), SOL_SOCKET, SO_REUSEADDR);
  if (shared) set_option(socket.get(), SOL_SOCKET, SO_REUSEPORT);
  if (family == AF_INET6) set_option(socket.get(), IPPROTO_IPV6, IPV6_V6ONLY);
  set_option(socket.get(), IPPROTO_TCP, TCP_NODELAY);  // accepted sockets inherit it
  const auto* where = reinterpret_cast<const sockaddr*>(&address.storage);
  if (::bind(socket.get(), where, address.length) == 0) return socket;
  const int os_error = errno;
  socket = Fd();
  errno = os_error;
  return socket;
}

Explained<Fd> open_listener(const SocketAddress& where, const std::string& address) {
  Fd socket = bind_socket(where, true);
  if (!socket.is_open()) return explain(errno, address, where.port());
  if (::listen(socket.get(), backlog_max) != 0) return explain(errno, address, where.port());
  return socket;
}

}  // namespace

Explained<std::vector<Fd>> open_listeners(const std::string& address, std::uint16_t port,
                                          unsigned count) {
  PORTERO_ASSERT(count > 0);
  const std::optional<IpAddress> ip = IpAddress::parse(address);
  if (!ip) return "cannot listen on " + address + ": not an IP address";
  SocketAddress where = SocketAddress::from_ip(*ip, port);
  // A program that shares its port (SO_REUSEPORT, such as a second portero) would let us in and
  // take half of the connections: a socket that does not share finds that out.
  if (!bind_socket(where, false).is_open()) return explain(errno, address, port);
  std::vector<Fd> sockets;
  for (unsigned i = 0; i < count; ++i) {
    Explained<Fd> socket = open_listener(where, address);
    if (!socket) return socket.error();
    if (i == 0) where = local_address(socket->get());
    sockets.push_back(std::move(*socket));
  }
  return sockets;
}

SocketAddress local_address(int fd) noexcept {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (::getsockname(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) {
    address = SocketAddress();
  }
  return address;
}

SocketAddress peer_address(int fd) noexcept {
  SocketAddress address;
  address.length = sizeof address.storage;
  if (::getpeername(fd, reinterpret_cast<sockaddr*>(&address.storage), &address.length) != 0) {
    address = SocketAddress();
  }
  return address;
}

Listener::Listener(Loop& loop, Fd socket, AcceptSink& sink)
    : loop_(loop),
      socket_(std::move(socket)),
      sink_(sink),
      resume_timer_([](void* self) { static_cast<Listener*>(self)->resume(); }, this) {
  PORTERO_ASSERT(socket_.is_open());
  resume();
}

void Listener::stop() {
  if (!socket_.is_open()) return;
  resume_timer_.disarm();
  int accepted = 0;  // a flood of new ones must not keep us here
  while (accepted < backlog_max && accept_one() == Outcome::accepted) ++accepted;
  loop_.unwatch(socket_.get());
  socket_ = Fd();
}

void Listener::on_ready(std::uint32_t /*epoll_events*/) noexcept {
  for (int i = 0; i < accepts_per_event_max; ++i) {
    if (!socket_.is_open()) return;  // the sink stopped us
    const Outcome outcome = accept_one();
    if (outcome == Outcome::out_of_descriptors) pause();
    if (outcome != Outcome::accepted) return;
  }
}

Listener::Outcome Listener::accept_one() {
  SocketAddress peer;
  for (;;) {
    peer.length = sizeof peer.storage;
    auto* const where = reinterpret_cast<sockaddr*>(&peer.storage);
    Fd socket(::accept4(socket_.get(), where, &peer.length, SOCK_NONBLOCK | SOCK_CLOEXEC));
    if (socket.is_open()) {
      sink_.on_accept(std::move(socket), peer);
      return Outcome::accepted;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
      return Outcome::out_of_descriptors;
    }
    // The client is gone already, or a network error of that connection: try the next one.
    if (errno == EAGAIN || errno == EBADF || errno == EINVAL) return Outcome::none_waiting;
  }
}

// The queue stays in the kernel while nothing can be accepted; being told of it each turn would
// only burn time.
void Listener::pause() noexcept {
  static thread_local std::int64_t logged_ms = -log_interval_ms;
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  if (now_ms - logged_ms >= log_interval_ms) {
    logged_ms = now_ms;
    log::error("listener.out_of_descriptors", log::kv("address", local_address(fd()).to_string()),
               log::kv("error", Error(Errc::too_many_descriptors)));
  }
  loop_.unwatch(socket_.get());
  resume_timer_.arm(loop_.timers(), pause_when_out_of_descriptors);
}

void Listener::resume() noexcept {
  const Result<> watched = loop_.watch_listener(socket_.get(), *this);
  if (!watched) resume_timer_.arm(loop_.timers(), pause_when_out_of_descriptors);
}

}  // namespace portero::net
