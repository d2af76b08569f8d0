#include "proxy/reverse_proxy.hpp"

#include <optional>
#include <string>

#include <doctest/doctest.h>

#include "unit/proxy/proxy_harness.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakePeer;
using portero::proxy::test::FakeUpstream;
using portero::proxy::test::ProxyRig;

namespace {

const std::string get = "GET /a?b=c HTTP/1.1\r\nHost: a.example:8080\r\n\r\n";
const std::string ok = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// The status line and what follows the head.
std::string brief(const std::string& answer) {
  const std::size_t end = answer.find("\r\n");
  const std::size_t body = answer.find("\r\n\r\n");
  if (end == std::string::npos || body == std::string::npos) return answer;
  return answer.substr(0, end) + " | " + answer.substr(body + 4);
}

}  // namespace

TEST_CASE("reverse_proxy: passes a request on and the answer back, with one write each") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  CHECK(rig.received(peer) ==
        "GET /a?b=c HTTP/1.1\r\n"
        "Host: a.example:8080\r\n"
        "X-Forwarded-For: 203.0.113.9\r\n"
        "X-Forwarded-Proto: http\r\n"
        "X-Forwarded-Host: a.example:8080\r\n\r\n");
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Up: 1\r\nServer: up\r\n\r\nok");
  const std::string answer = rig.answer("ok");
  CHECK(brief(answer) == "HTTP/1.1 200 OK | ok");
  CHECK(contains(answer, "\r\nX-Up: 1\r\n"));
  CHECK(contains(answer, "\r\nServer: portero\r\n"));
  CHECK_FALSE(contains(answer, "Server: up"));
  CHECK(rig.client().write_calls == 1);
}

TEST_CASE("reverse_proxy: uses a connection again") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  for (int i = 0; i < 3; ++i) {
    CHECK(contains(rig.received(peer), "GET /a"));
    peer.send(ok);
    CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
    rig.client().feed(get);
  }
  rig.received(peer);
  CHECK(rig.pool().in_use() == 1);
  CHECK_FALSE(rig.upstream.try_accept().is_open());
}

TEST_CASE("reverse_proxy: drops an idle connection that the upstream has closed, unused") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer first = rig.accept();
  rig.received(first);
  first.send(ok);
  rig.answer("ok");
  first.close();
  rig.settle();
  rig.client().feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
  FakePeer second = rig.accept();
  CHECK(rig.received(second, "\r\n\r\nx").starts_with("POST / HTTP/1.1\r\n"));
  second.send(ok);
  CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
}

TEST_CASE("reverse_proxy: a GET that meets a dying connection goes out once more, on a new one") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer first = rig.accept();
  rig.received(first);
  first.send(ok);
  rig.answer("ok");
  rig.client().feed(get);
  rig.received(first);
  SUBCASE("closed") { first.close(); }
  SUBCASE("reset") { first.reset(); }
  FakePeer second = rig.accept();
  rig.received(second);
  second.send(ok);
  CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
}

TEST_CASE("reverse_proxy: a POST that may have been received is not sent twice") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer first = rig.accept();
  rig.received(first);
  first.send(ok);
  rig.answer("ok");
  rig.client().feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n");
  rig.received(first);
  first.close();
  CHECK(contains(rig.answer("log\n"), "HTTP/1.1 502 Bad Gateway\r\n"));
  CHECK_FALSE(rig.upstream.try_accept().is_open());
}

TEST_CASE("reverse_proxy: a new connection that dies without an answer is not tried again") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.close();
  const std::string answer = rig.answer("log\n");
  CHECK(brief(answer) == "HTTP/1.1 502 Bad Gateway | upstream " + rig.upstream.text() +
                             " closed the connection without an answer: see its log\n");
  CHECK(contains(rig.quiet.lines, "upstream.failed"));
}

TEST_CASE("reverse_proxy: says which upstream refuses and what to check") {
  ProxyRig rig;
  rig.upstream.close();
  rig.start();
  rig.client().feed(get);
  CHECK(brief(rig.answer("right?\n")) ==
        "HTTP/1.1 502 Bad Gateway | upstream " + rig.upstream.text() +
            " refused the connection: is it running, is the port right?\n");
}

TEST_CASE("reverse_proxy: a name that does not resolve is 502 until it does") {
  ProxyRig rig;
  rig.route.proxy->to[0].host = "backend";
  rig.route.proxy->to[0].text = "backend:80";
  rig.start();
  rig.client().feed(get);
  CHECK(contains(rig.answer("up?\n"), "upstream backend:80 has a name that does not resolve"));
  const auto address =
      net::SocketAddress::from_ip(*IpAddress::parse("127.0.0.1"), rig.upstream.port());
  rig.pools.set_names({{"backend:" + std::to_string(rig.upstream.port()), {address}}});
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send(ok);
  CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
}

TEST_CASE(
    "reverse_proxy: when an upstream refuses, the next one gets the request, whatever it is") {
  ProxyRig rig;
  FakeUpstream other;
  rig.route.proxy->to.push_back(other.address());
  rig.route.proxy->balance = "round_robin";
  rig.upstream.close();
  rig.start();
  for (int i = 0; i < 2; ++i) {
    rig.client().feed("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\nx");
    FakePeer peer = rig.accept_at(other);
    rig.received(peer, "x");
    peer.send("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok");
    CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
  }
}

TEST_CASE("reverse_proxy: an answer that is no HTTP is 502, never passed on") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  rig.received(peer);
  SUBCASE("another protocol") { peer.send("SSH-2.0-OpenSSH_9.2\r\n\r\n"); }
  SUBCASE("both ways to tell the length") {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
  }
  SUBCASE("a head without end") { peer.send("HTTP/1.1 200 OK\r\nX: " + std::string(70'000, 'x')); }
  SUBCASE("a protocol switch that nobody asked for") {
    peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n");
  }
  SUBCASE("informational answers without end") {
    for (int i = 0; i < 17; ++i) peer.send("HTTP/1.1 103 Early Hints\r\n\r\n");
  }
  const std::string answer = rig.answer("port?\n");
  CHECK(contains(answer, "HTTP/1.1 502 Bad Gateway\r\n"));
  CHECK(contains(answer, "sent something that is no valid HTTP answer"));
  CHECK(rig.ended_at(peer));
}

TEST_CASE("reverse_proxy: an answer that breaks off is cut visibly, never completed") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  rig.received(peer);
  SUBCASE("fewer bytes than announced") {
    peer.send("HTTP/1.1 200 OK\r\nContent-Length: 123\r\n\r\npart");
  }
  SUBCASE("chunked without its end") {
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n");
  }
  SUBCASE("a chunk that is none") {
    peer.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\nzz\r\n");
  }
  peer.close();
  REQUIRE(rig.turn_until([&] { return rig.ended; }));
  const std::string answer = rig.client().take_written();
  CHECK(contains(answer, "HTTP/1.1 200 OK\r\n"));
  CHECK(contains(answer, "part"));
  CHECK_FALSE(contains(answer, "0\r\n\r\n"));
  CHECK_FALSE(rig.client().write_ended);  // no orderly end either
}

TEST_CASE("reverse_proxy: re-chunks a chunked answer and passes its trailers") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send(
      "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n"
      "3;ext=1\r\nabc\r\n0002\r\nde\r\n0\r\nX-Sum: 5\r\nContent-Length: 9\r\n\r\n");
  const std::string answer = rig.answer("X-Sum: 5\r\n\r\n");
  CHECK(brief(answer) == "HTTP/1.1 200 OK | 5\r\nabcde\r\n0\r\nX-Sum: 5\r\n\r\n");
  CHECK(rig.client().write_calls == 1);
  rig.client().feed(get);
  rig.received(peer);  // the connection serves on
}

TEST_CASE("reverse_proxy: an answer that ends with the connection becomes a chunked one") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send("HTTP/1.0 200 OK\r\n\r\nall of it");
  peer.close();
  CHECK(brief(rig.answer("0\r\n\r\n")) == "HTTP/1.1 200 OK | 9\r\nall of it\r\n0\r\n\r\n");
}

TEST_CASE("reverse_proxy: HEAD and 304 announce a body that does not follow") {
  ProxyRig rig;
  rig.start();
  SUBCASE("HEAD") { rig.client().feed("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n"); }
  SUBCASE("304") { rig.client().feed(get); }
  FakePeer peer = rig.accept();
  const bool is_head = rig.received(peer).starts_with("HEAD");
  peer.send(std::string("HTTP/1.1 ") + (is_head ? "200 OK" : "304 Not Modified") +
            "\r\nContent-Length: 123\r\n\r\n");
  CHECK(contains(rig.answer("\r\n\r\n"), "Content-Length: 123\r\n"));
  rig.client().feed(get);
  rig.received(peer);
  peer.send(ok);
  CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
}

TEST_CASE("reverse_proxy: passes informational answers, but 100 is its own to say") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
  CHECK(rig.answer("</a.css>\r\n\r\n") == "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
  peer.send(ok);
  CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
}

TEST_CASE("reverse_proxy: what follows the answer is never taken for the next one") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer first = rig.accept();
  rig.received(first);
  first.send(ok + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
  CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
  rig.client().feed(get);
  FakePeer second = rig.accept();
  rig.received(second);
  second.send(ok);
  CHECK(brief(rig.answer("ok")) == "HTTP/1.1 200 OK | ok");
  CHECK(rig.ended_at(first));
}

TEST_CASE("reverse_proxy: an upstream that does not answer in time is 504") {
  ProxyRig rig;
  rig.route.proxy->timeouts.response = Milliseconds(1);
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  const std::string answer = rig.answer("\n");
  CHECK(contains(answer, "HTTP/1.1 504 Gateway Timeout\r\n"));
  CHECK(contains(answer, "did not answer in time"));
  CHECK(rig.ended_at(peer));
}

namespace {

Task<> hold(UpstreamPool& pool, std::optional<Lease>& lease) {
  Result<Lease> made = co_await pool.connect(Milliseconds(1'000));
  if (made) lease.emplace(std::move(*made));
}

}  // namespace

TEST_CASE("reverse_proxy: with all connections in use it answers 503 and when to come back") {
  ProxyRig rig;
  rig.route.proxy->max_concurrent = 1;
  rig.route.proxy->queue.wait = Milliseconds(0);
  rig.start();
  Explained<PoolRef> pool =
      rig.pools.get(upstream_settings(rig.upstream.address(), *rig.route.proxy));
  REQUIRE(pool);
  std::optional<Lease> busy;
  spawn(hold(**pool, busy));
  REQUIRE(rig.turn_until([&] { return busy.has_value(); }));
  rig.client().feed(get);
  const std::string answer = rig.answer("way\n");
  CHECK(contains(answer, "HTTP/1.1 503 Service Unavailable\r\n"));
  CHECK(contains(answer, "\r\nRetry-After: 1\r\n"));
}

TEST_CASE("reverse_proxy: edits the fields of both directions") {
  ProxyRig rig;
  rig.route.headers_up.set = {{"X-Tenant", "{host}"}};
  rig.route.proxy->headers_up.set = {{"Host", "inner.example"}};
  rig.route.proxy->headers_down.remove = {"X-Powered-By"};
  rig.start();
  rig.client().feed(get);
  FakePeer peer = rig.accept();
  const std::string request = rig.received(peer);
  CHECK(contains(request, "\r\nX-Tenant: a.example\r\n"));
  CHECK(contains(request, "\r\nHost: inner.example\r\n"));
  CHECK_FALSE(contains(request, "\r\nHost: a.example"));
  peer.send("HTTP/1.1 200 OK\r\nX-Powered-By: PHP\r\nContent-Length: 2\r\n\r\nok");
  CHECK_FALSE(contains(rig.answer("ok"), "PHP"));
}
