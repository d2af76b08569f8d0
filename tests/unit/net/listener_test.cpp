#include "net/listener.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::net;

namespace {

constexpr int turns_max = 200;

class Collector final : public AcceptSink {
 public:
  void on_accept(Fd socket, const SocketAddress& peer) override {
    sockets.push_back(std::move(socket));
    peers.push_back(peer);
  }
  std::vector<Fd> sockets;
  std::vector<SocketAddress> peers;
};

Fd connect_to(const SocketAddress& address) {
  Fd socket(::socket(address.storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto* where = reinterpret_cast<const sockaddr*>(&address.storage);
  REQUIRE(::connect(socket.get(), where, address.length) == 0);
  return socket;
}

int option(const Fd& socket, int level, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  ::getsockopt(socket.get(), level, name, &value, &size);
  return value;
}

void run_until_accepted(Loop& loop, const Collector& collector, std::size_t count) {
  for (int i = 0; i < turns_max && collector.sockets.size() < count; ++i) loop.run_once(50);
}

// Takes every descriptor there is and gives them back at the end.
class NoDescriptors {
 public:
  NoDescriptors() {
    ::getrlimit(RLIMIT_NOFILE, &before_);
    const Fd probe(::dup(0));
    rlimit tight = before_;
    tight.rlim_cur = static_cast<rlim_t>(probe.get());  // the lowest free one is out of bounds
    ::setrlimit(RLIMIT_NOFILE, &tight);
  }
  ~NoDescriptors() { ::setrlimit(RLIMIT_NOFILE, &before_); }

 private:
  rlimit before_{};
};

}  // namespace

TEST_CASE("listener: accepts non-blocking sockets without delay, with the peer's address") {
  auto sockets = open_listeners("127.0.0.1", 0, 1);
  REQUIRE(sockets.has_value());
  Loop loop;
  Collector collector;
  Listener listener(loop, std::move(sockets->front()), collector);
  const Fd client = connect_to(local_address(listener.fd()));
  run_until_accepted(loop, collector, 1);
  REQUIRE(collector.sockets.size() == 1);
  CHECK(option(collector.sockets[0], IPPROTO_TCP, TCP_NODELAY) != 0);
  CHECK((::fcntl(collector.sockets[0].get(), F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(collector.sockets[0].get(), F_GETFD) & FD_CLOEXEC) != 0);
  CHECK(collector.peers[0].ip().is_loopback());
  CHECK(collector.peers[0].port() == local_address(client.get()).port());
}

TEST_CASE("listener: opens several sockets on one port, each its own queue") {
  auto sockets = open_listeners("127.0.0.1", 0, 3);
  REQUIRE(sockets.has_value());
  REQUIRE(sockets->size() == 3);
  const std::uint16_t port = local_address((*sockets)[0].get()).port();
  CHECK(port != 0);
  for (const Fd& socket : *sockets) CHECK(local_address(socket.get()).port() == port);
}

TEST_CASE("listener: a port in use is an error that says so, also when its owner shares it") {
  const auto first = open_listeners("127.0.0.1", 0, 1);
  const std::uint16_t port = local_address(first->front().get()).port();
  const auto second = open_listeners("127.0.0.1", port, 1);
  REQUIRE(second.has_error());
  CHECK(second.error().find("127.0.0.1:" + std::to_string(port)) != std::string::npos);
  CHECK(second.error().find("another program") != std::string::npos);
}

TEST_CASE("listener: names an address this machine does not have and text that is none") {
  CHECK(open_listeners("192.0.2.1", 0, 1).error().find("no such address") != std::string::npos);
  CHECK(open_listeners("localhost", 80, 1).error().find("not an IP") != std::string::npos);
}

TEST_CASE("listener: an IPv6 socket leaves the IPv4 port free") {
  const auto six = open_listeners("[::1]", 0, 1);
  if (!six) return;  // a machine without IPv6
  CHECK(option(six->front(), IPPROTO_IPV6, IPV6_V6ONLY) == 1);
}

TEST_CASE("listener: stop serves what the kernel has queued, then closes") {
  auto sockets = open_listeners("127.0.0.1", 0, 1);
  Loop loop;
  Collector collector;
  Listener listener(loop, std::move(sockets->front()), collector);
  const SocketAddress address = local_address(listener.fd());
  const Fd first = connect_to(address);
  const Fd second = connect_to(address);
  listener.stop();
  CHECK(collector.sockets.size() == 2);
  CHECK_FALSE(listener.is_open());
  const Fd late(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  CHECK(::connect(late.get(), reinterpret_cast<const sockaddr*>(&address.storage),
                  address.length) != 0);
  loop.run_once(0);
}

TEST_CASE("listener: out of descriptors it pauses instead of spinning and goes on later") {
  auto sockets = open_listeners("127.0.0.1", 0, 1);
  Loop loop;
  Collector collector;
  Listener listener(loop, std::move(sockets->front()), collector);
  const Fd client = connect_to(local_address(listener.fd()));
  {
    const NoDescriptors none;
    loop.run_once(0);
    CHECK(loop.timers().armed_count() == 1);
    const std::int64_t paused_ms = coarse_clock().monotonic_ms;
    loop.run_once(0);
    // On a machine that held us up for so long it has tried again, and pauses from the next turn.
    if (coarse_clock().monotonic_ms - paused_ms < Listener::pause_when_out_of_descriptors.count()) {
      CHECK(loop.timers().armed_count() == 1);
    }
  }
  CHECK(collector.sockets.empty());
  coarse_clock().monotonic_ms += 1000;
  loop.timers().advance();
  loop.run_once(0);
  CHECK(collector.sockets.size() == 1);
}
