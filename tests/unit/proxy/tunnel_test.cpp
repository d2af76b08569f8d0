#include "proxy/tunnel.hpp"

#include <string>

#include <doctest/doctest.h>

#include "unit/proxy/proxy_harness.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakePeer;
using portero::proxy::test::ProxyRig;

namespace {

const std::string upgrade =
    "GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
const std::string switched =
    "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

}  // namespace

TEST_CASE("tunnel: carries bytes both ways after the upstream's own 101") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(upgrade + "early");
  FakePeer peer = rig.accept();
  const std::string request = rig.received(peer);
  CHECK(contains(request, "\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"));
  CHECK(contains(request, "\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"));
  CHECK_FALSE(contains(request, "early"));
  peer.send(switched + "first words");
  const std::string answer = rig.answer("first words");
  CHECK(answer.starts_with("HTTP/1.1 101 Switching Protocols\r\n"));
  CHECK(contains(answer, "\r\nConnection: Upgrade\r\n"));
  CHECK(contains(answer, "\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"));
  CHECK(rig.received(peer, "early") == "early");
  rig.client().feed("ping");
  CHECK(rig.received(peer, "ping") == "ping");
  peer.send("pong");
  CHECK(rig.answer("pong") == "pong");
}

TEST_CASE("tunnel: the end of one side is passed on and leaves the other open") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(upgrade);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send(switched);
  rig.answer("\r\n\r\n");
  rig.client().end();
  CHECK(rig.ended_at(peer));
  peer.send("last words");
  CHECK(rig.answer("last words") == "last words");
  CHECK_FALSE(rig.ended);
  peer.close();
  CHECK(rig.turn_until([&] { return rig.ended; }));
  CHECK(rig.client().write_ended);
  CHECK(rig.pool().in_use() == 1);  // the session of the test still holds its lease
}

TEST_CASE("tunnel: a reset of one side ends both") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(upgrade);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send(switched);
  rig.answer("\r\n\r\n");
  SUBCASE("client") {
    rig.client().break_off();
    CHECK(rig.turn_until([&] { return rig.ended; }));
  }
  SUBCASE("upstream") {
    peer.reset();
    CHECK(rig.turn_until([&] { return rig.ended; }));
    CHECK_FALSE(rig.client().write_ended);
  }
}

TEST_CASE("tunnel: without traffic it ends after its idle time") {
  ProxyRig rig;
  rig.route.proxy->timeouts.idle = Milliseconds(1);
  rig.start();
  rig.client().feed(upgrade);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send(switched);
  rig.answer("\r\n\r\n");
  CHECK(rig.turn_until([&] { return rig.ended; }));
}

TEST_CASE("tunnel: a refused upgrade is an ordinary answer, and the next request a request") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(upgrade + "GET /next HTTP/1.1\r\nHost: a\r\n\r\n");
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno");
  CHECK(rig.received(peer).starts_with("GET /next HTTP/1.1\r\n"));
  CHECK(rig.client().written.ends_with("no"));
}

TEST_CASE("tunnel: h2c is never asked for") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(
      "GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
      "HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");
  FakePeer peer = rig.accept();
  const std::string request = rig.received(peer);
  CHECK_FALSE(contains(request, "Upgrade"));
  CHECK_FALSE(contains(request, "HTTP2-Settings"));
  peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n");
  CHECK(contains(rig.answer("port?\n"), "502 Bad Gateway"));
}

TEST_CASE("tunnel: another protocol than was asked for is refused") {
  ProxyRig rig;
  rig.start();
  rig.client().feed(upgrade);
  FakePeer peer = rig.accept();
  rig.received(peer);
  peer.send("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n");
  CHECK(contains(rig.answer("port?\n"), "502 Bad Gateway"));
}
