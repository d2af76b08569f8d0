// Bodies through the reverse proxy: both ways at once, with backpressure, and what happens when one
// side stops.
#include <string>

#include <doctest/doctest.h>

#include "unit/proxy/proxy_harness.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakePeer;
using portero::proxy::test::ProxyRig;

namespace {

const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";
// More than the kernel's buffers of a connection take.
constexpr std::size_t big_bytes = 48 * 1024 * 1024;

std::string pattern(std::size_t from, std::size_t count) {
  std::string text(count, '\0');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + (from + i) % 23);
  return text;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("reverse_proxy: a small body leaves with its head") {
  ProxyRig rig;
  rig.start();
  rig.client().feed("POST /p HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello");
  FakePeer peer = rig.accept();
  const std::string request = rig.received(peer, "hello");
  CHECK(contains(request, "\r\nContent-Length: 5\r\n\r\nhello"));
  peer.send(ok);
  rig.answer("ok");
}

TEST_CASE("reverse_proxy: a chunked body is chunked anew, with its trailers") {
  ProxyRig rig;
  rig.start();
  rig.client().feed("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n");
  rig.client().feed("0003;x=y\r\nabc\r\n");
  FakePeer peer = rig.accept();
  const std::string head = rig.received(peer, "abc\r\n");
  CHECK(contains(head, "\r\nTransfer-Encoding: chunked\r\n"));
  CHECK(head.ends_with("\r\n\r\n3\r\nabc\r\n"));
  rig.client().feed("0\r\nX-Sum: 3\r\nHost: evil\r\n\r\n");
  CHECK(rig.received(peer) == "0\r\nX-Sum: 3\r\n\r\n");
  peer.send(ok);
  rig.answer("ok");
}

TEST_CASE("reverse_proxy: a large download waits for its client") {
  ProxyRig rig;
  rig.start();
  rig.client().limit_writes(100'000);
  rig.client().feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: " + std::to_string(big_bytes) + "\r\n\r\n");
  std::size_t sent = 0;
  std::string next;
  const auto send_more = [&] {
    while (sent < big_bytes) {
      next = pattern(sent, std::min<std::size_t>(256 * 1024, big_bytes - sent));
      const std::size_t taken = peer.send_some(next);
      if (taken == 0) return;
      sent += taken;
    }
  };
  for (int i = 0; i < 200; ++i) {
    send_more();
    rig.loop.run_once(0);
  }
  CHECK(sent < big_bytes / 2);
  CHECK(rig.client().written.size() <= 100'000);

  rig.client().limit_writes(SIZE_MAX);
  std::size_t got = 0;
  bool right = true;
  std::string head;
  rig.turn_until([&] {
    send_more();
    std::string piece = rig.client().take_written();
    if (head.empty() && !piece.empty()) {
      const std::size_t end = piece.find("\r\n\r\n") + 4;
      head = piece.substr(0, end);
      piece.erase(0, end);
    }
    right = right && piece == pattern(got, piece.size());
    got += piece.size();
    return got >= big_bytes;
  });
  CHECK(right);
  CHECK(got == big_bytes);
}

TEST_CASE(
    "reverse_proxy: a large upload waits for its upstream, and is read while it is answered") {
  ProxyRig rig;
  rig.start();
  rig.client().feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: " + std::to_string(big_bytes) +
                    "\r\n\r\n");
  FakePeer peer = rig.accept();
  rig.received(peer);
  std::size_t fed = 0;
  const auto feed_more = [&] {
    if (!rig.client().all_read() || fed == big_bytes) return;
    const std::size_t count = std::min<std::size_t>(256 * 1024, big_bytes - fed);
    rig.client().feed(pattern(fed, count));
    fed += count;
  };
  for (int i = 0; i < 2'000; ++i) {
    feed_more();
    rig.loop.run_once(0);
  }
  CHECK(fed < big_bytes / 2);  // nobody reads at the other end

  peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nnow\r\n");
  CHECK(rig.answer("3\r\nnow\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  std::size_t got = 0;
  bool right = true;
  rig.turn_until([&] {
    feed_more();
    peer.read_available();
    const std::string piece = peer.take();
    right = right && piece == pattern(got, piece.size());
    got += piece.size();
    return got >= big_bytes;
  });
  CHECK(right);
  CHECK(got == big_bytes);
  peer.send("0\r\n\r\n");
  CHECK(rig.answer("0\r\n\r\n") == "0\r\n\r\n");
  CHECK(rig.turn_until([&] { return rig.pool().idle_count() == 1; }));  // it will serve again
}

TEST_CASE("reverse_proxy: an early answer ends the upload and the upstream connection") {
  ProxyRig rig;
  rig.start();
  rig.client().feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst");
  FakePeer peer = rig.accept();
  rig.received(peer, "first");
  peer.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nbig");
  const std::string answer = rig.answer("big");
  CHECK(answer.starts_with("HTTP/1.1 413 Content Too Large\r\n"));
  CHECK(contains(answer, "\r\nConnection: close\r\n"));
  rig.client().feed("more");
  CHECK(rig.ended_at(peer));
  CHECK_FALSE(contains(peer.take(), "more"));
}

TEST_CASE("reverse_proxy: an upstream that closes during the upload is 502 at once") {
  ProxyRig rig;
  rig.start();
  rig.client().feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\nfirst");
  FakePeer peer = rig.accept();
  rig.received(peer, "first");
  peer.close();
  CHECK(rig.answer("log\n").starts_with("HTTP/1.1 502 Bad Gateway\r\n"));
}

TEST_CASE("reverse_proxy: a client that breaks off its body takes the upstream's request along") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(
      "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n");
  FakePeer peer = rig.accept();
  rig.received(peer, "first\r\n");
  SUBCASE("it ends") { rig.client().end(); }
  SUBCASE("it resets") { rig.client().break_off(); }
  SUBCASE("it sends what is no chunk") { rig.client().feed("zz\r\n"); }
  CHECK(rig.ended_at(peer));
  CHECK_FALSE(contains(peer.take(), "0\r\n"));
  CHECK(rig.pool().in_use() == 0);
}

TEST_CASE("reverse_proxy: a client that has gone is not waited for") {
  ProxyRig rig;
  rig.start();
  rig.client().feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  FakePeer peer = rig.accept();
  rig.received(peer);
  rig.client().break_off();
  CHECK(rig.ended_at(peer));
  CHECK(rig.turn_until([&] { return rig.ended; }));
  CHECK_FALSE(contains(rig.quiet.lines, "upstream.failed"));
}

TEST_CASE("reverse_proxy: Expect goes on to the upstream, and the body is read when it says so") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(
      "POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\n");
  FakePeer peer = rig.accept();
  CHECK(contains(rig.received(peer), "\r\nExpect: 100-continue\r\n"));
  rig.settle();
  CHECK(rig.client().written.empty());
  SUBCASE("it takes the body") {
    peer.send("HTTP/1.1 100 Continue\r\n\r\n");
    CHECK(rig.answer("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    rig.client().feed("body");
    CHECK(rig.received(peer, "body") == "body");
    peer.send(ok);
    CHECK(rig.answer("ok").starts_with("HTTP/1.1 200 OK\r\n"));
  }
  SUBCASE("it refuses") {
    peer.send("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno");
    const std::string answer = rig.answer("no");
    CHECK(answer.starts_with("HTTP/1.1 401 Unauthorized\r\n"));
    CHECK(contains(answer, "\r\nConnection: close\r\n"));
    CHECK(rig.ended_at(peer));
  }
  SUBCASE("it says nothing") {
    CHECK(rig.answer("\r\n\r\n") == "HTTP/1.1 100 Continue\r\n\r\n");
    rig.client().feed("body");
    CHECK(rig.received(peer, "body") == "body");
  }
}

TEST_CASE("reverse_proxy: pieces of a stream reach the client as they come") {
  ProxyRig rig;
  rig.start();
  rig.client().feed("GET /events HTTP/1.1\r\nHost: a\r\n\r\n");
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send(
      "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"
      "Transfer-Encoding: chunked\r\n\r\n");
  CHECK(rig.answer("\r\n\r\n").starts_with("HTTP/1.1 200 OK\r\n"));
  for (const std::string event : {"data: 1\n\n", "data: 2\n\n"}) {
    peer.send("9\r\n" + event + "\r\n");
    CHECK(rig.answer(event + "\r\n") == "9\r\n" + event + "\r\n");
  }
}

TEST_CASE("reverse_proxy: an answer that stops half-way is given up") {
  ProxyRig rig;
  rig.route.proxy->timeouts.response = Milliseconds(1);
  rig.start();
  rig.client().feed("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  FakePeer peer = rig.accept();
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart");
  CHECK(rig.turn_until([&] { return rig.ended; }));
  CHECK(rig.ended_at(peer));
}
