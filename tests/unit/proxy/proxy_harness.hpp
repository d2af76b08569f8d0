// A client's connection on a fake stream, served by serve_h1 and a ReverseProxy, and upstreams on
// real loopback sockets whose every move the test makes.
//
//   ProxyRig rig;
//   rig.start();
//   rig.client().feed("GET / HTTP/1.1\r\nHost: a.example\r\n\r\n");
//   FakePeer peer = rig.accept();
//   rig.received(peer);                             // up to its empty line
//   peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
//   CHECK(rig.answer("ok") == …);
//
// Nothing sleeps: the loop is turned until what is waited for has come, a bounded number of times.
#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <memory>
#include <string>
#include <utility>

#include <doctest/doctest.h>

#include "base/log.hpp"
#include "http/h1_connection.hpp"
#include "net/loop.hpp"
#include "proxy/pool_set.hpp"
#include "proxy/reverse_proxy.hpp"
#include "unit/http/fake_stream.hpp"

namespace portero::proxy::test {

constexpr int turns_max = 5'000;

// The upstream's end of a connection.
class FakePeer {
 public:
  FakePeer() = default;
  explicit FakePeer(Fd socket) : socket_(std::move(socket)) {}

  std::string received;  // since the last take()

  bool is_open() const { return socket_.is_open(); }
  std::string take() { return std::exchange(received, {}); }
  // Reads what is there; returns whether the other side has ended.
  bool read_available() {
    char buffer[64 * 1024];
    for (;;) {
      const ssize_t got = ::recv(socket_.get(), buffer, sizeof buffer, MSG_DONTWAIT);
      if (got > 0) received.append(buffer, static_cast<std::size_t>(got));
      if (got == 0) ended_ = true;
      if (got < 0 && errno != EAGAIN && errno != EINTR) ended_ = true;
      if (got <= 0) return ended_;
    }
  }
  // Sends all of it; for what surely fits the socket's buffer.
  void send(std::string_view text) {
    REQUIRE(::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
            static_cast<ssize_t>(text.size()));
  }
  // Sends as much as is taken; returns that.
  std::size_t send_some(std::string_view text) {
    const ssize_t sent =
        ::send(socket_.get(), text.data(), text.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    return sent < 0 ? 0 : static_cast<std::size_t>(sent);
  }
  void end() { ::shutdown(socket_.get(), SHUT_WR); }
  void close() { socket_ = Fd(); }
  void reset() {
    const linger at_once{1, 0};
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
    close();
  }

 private:
  Fd socket_;
  bool ended_ = false;
};

class FakeUpstream {
 public:
  FakeUpstream() { listen(); }

  // Again on the same port after close().
  void listen() {
    socket_ = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
    const int yes = 1;
    ::setsockopt(socket_.get(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port_);
    socklen_t size = sizeof address;
    auto* generic = reinterpret_cast<sockaddr*>(&address);
    REQUIRE(::bind(socket_.get(), generic, size) == 0);
    REQUIRE(::listen(socket_.get(), 16) == 0);
    REQUIRE(::getsockname(socket_.get(), generic, &size) == 0);
    port_ = ntohs(address.sin_port);
  }

  std::uint16_t port() const { return port_; }
  std::string text() const { return "127.0.0.1:" + std::to_string(port_); }
  conf::UpstreamAddress address() const { return {false, "127.0.0.1", port_, "", text()}; }
  // The next connection that has arrived, if any.
  FakePeer try_accept() {
    Fd socket(::accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC));
    return FakePeer(std::move(socket));
  }
  // From now on connections are refused, and those that nobody has accepted are reset.
  void close() { socket_ = Fd(); }

 private:
  Fd socket_;
  std::uint16_t port_ = 0;
};

class QuietLog final : public log::Sink {
 public:
  QuietLog() { log::set_sink(this); }
  ~QuietLog() override { log::set_sink(nullptr); }
  void append(std::string_view line) override { lines += std::string(line) + "\n"; }
  std::string lines;
};

class ProxyRig {
 public:
  ProxyRig() : info_() {
    info_.peer = *IpAddress::parse("203.0.113.9");
    info_.local_port = 80;
    route.proxy.emplace();
    route.proxy->to.push_back(upstream.address());
  }
  // The connection's coroutine must not outlive what it uses.
  ~ProxyRig() { end(); }

  net::Loop loop;
  QuietLog quiet;
  FakeUpstream upstream;
  PoolSet pools{loop};
  conf::Route route;   // may be changed before start()
  bool ended = false;  // the client's connection is over

  net::FakeStream& client() { return *client_; }
  const UpstreamPool& pool() const { return *pools.pools().begin()->second; }

  void start() {
    Explained<std::unique_ptr<http::Handler>> made = make_reverse_proxy(route, pools);
    REQUIRE(made);
    start(std::move(*made));
  }
  void start(std::unique_ptr<http::Handler> handler) {
    service_.handler = std::move(handler);
    started_ = true;
    spawn(serve());
  }

  template <class Condition>
  bool turn_until(Condition condition) {
    for (int i = 0; i < turns_max; ++i) {
      if (condition()) return true;
      loop.run_once(1);
    }
    return condition();
  }
  // Lets everything happen that can happen by itself.
  void settle() {
    for (int i = 0; i < 10; ++i) loop.run_once(0);
  }

  // Ends the client's connection, and what it has under way.
  void end() {
    if (!started_) return;
    if (!ended) client_->cancel(Errc::cancelled);
    turn_until([this] { return ended; });
    CHECK(ended);
  }

  FakePeer accept() { return accept_at(upstream); }
  FakePeer accept_at(FakeUpstream& at) {
    FakePeer peer;
    turn_until([&] {
      peer = at.try_accept();
      return peer.is_open();
    });
    REQUIRE(peer.is_open());
    return peer;
  }
  // Waits until `peer` has received something that ends so; takes it.
  std::string received(FakePeer& peer, std::string_view ending = "\r\n\r\n") {
    turn_until([&] {
      peer.read_available();
      return peer.received.ends_with(ending);
    });
    return peer.take();
  }
  bool ended_at(FakePeer& peer) {
    return turn_until([&] { return peer.read_available(); });
  }
  // Waits until the client has got something that ends so; takes it.
  std::string answer(std::string_view ending) {
    turn_until([&] { return client_->written.ends_with(ending); });
    return client_->take_written();
  }

 private:
  struct HandlerService final : http::Service {
    std::unique_ptr<http::Handler> handler;
    Task<> serve(http::Exchange& exchange) override {
      const Result<> served = co_await handler->handle(exchange);
      if (served) co_return;
      const ErrorInfo& error = served.error().info();
      if (exchange.head_sent() || error.http_status == 0) {
        exchange.reset(served.error().code);
        co_return;
      }
      const Result<> answered = co_await http::respond(exchange, error.http_status, error.text);
      if (!answered) exchange.reset(answered.error().code);
    }
    bool draining() const noexcept override { return false; }
  };

  Task<> serve() {
    http::H1Context context{*client_, loop.timers(), info_, service_, timeouts_};
    session_ = co_await http::serve_h1(context, input_);
    if (session_) {
      std::string early(input_.readable());
      co_await session_->run(std::move(owned_client_), std::move(early));
    }
    ended = true;
  }

  http::ConnectionInfo info_;
  bool started_ = false;
  http::Timeouts timeouts_;
  HandlerService service_;
  Buffer input_;
  std::unique_ptr<net::FakeStream> owned_client_ = std::make_unique<net::FakeStream>();
  net::FakeStream* client_ = owned_client_.get();
  std::unique_ptr<http::Session> session_;  // kept: it owns the client's stream then
};

}  // namespace portero::proxy::test
