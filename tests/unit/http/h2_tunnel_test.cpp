// Extended CONNECT: a stream that becomes a tunnel. Source: RFC 8441.
#include <doctest/doctest.h>

#include "h2_harness.hpp"
#include "http/h2_stream_bytes.hpp"

using namespace portero;
using namespace portero::http;

namespace {

// What a session has seen; lives in the test.
struct Seen {
  std::string log;
  Errc error = Errc::ok;
  bool ended = false;
  std::string farewell;  // is written when the client has ended
  bool stop_reading = false;
  Errc cancel = Errc::ok;
  Gate gate;
  int running = 0;
};
Seen* seen = nullptr;

class EchoSession final : public Session {
 public:
  Task<> run(std::unique_ptr<net::ByteStream> stream, std::string early) override {
    CHECK(early.empty());
    ++seen->running;
    std::array<char, 1000> room;
    while (!seen->stop_reading) {
      const Result<std::size_t> got = co_await net::read_some(*stream, room);
      if (!got || *got == 0) {
        seen->error = got ? Errc::ok : got.error().code;
        seen->ended = got.has_value();
        break;
      }
      seen->log.append(room.data(), *got);
      const Result<> sent = co_await net::write_all(*stream, Bytes(room.data(), *got));
      if (!sent) seen->error = sent.error().code;
    }
    if (seen->stop_reading) co_await seen->gate;
    if (seen->cancel != Errc::ok) stream->cancel(seen->cancel);
    if (!seen->farewell.empty()) {
      (void)co_await net::write_all(*stream, seen->farewell);
      stream->shutdown_write();
    }
    --seen->running;
  }
};

Task<> tunnel(H2TestService& service, Exchange& exchange) {
  if (!exchange.request.is_websocket_upgrade()) {
    (void)co_await respond(exchange, 426, "upgrade\n");
    co_return;
  }
  if (service.count != 0) {
    (void)co_await respond(exchange, 403, "no\n");
    co_return;
  }
  Response response(exchange.arena);
  response.headers.add("sec-websocket-protocol", "test");
  exchange.takeover = std::make_unique<EchoSession>();
  (void)co_await exchange.send_head(response);
}

struct Tunnel : H2Harness {
  Tunnel() {
    seen = &events;
    service.routes["/app"] = &tunnel;
  }
  std::int32_t open(H2Upload& body) {
    H2TextFields fields = H2Client::head("CONNECT", "/app");
    fields.emplace_back(":protocol", "websocket");
    fields.emplace_back("sec-websocket-version", "13");
    const std::int32_t id = client.request(fields, &body);
    turn();
    return id;
  }
  void send(std::int32_t id, H2Upload& body, const std::string& more) {
    body.data += more;
    client.resume(id);
    turn();
  }

  Seen events;
};

}  // namespace

TEST_CASE("h2_tunnel: echoes in both directions and ends with the client") {
  Tunnel tunnel;
  tunnel.start();
  H2Upload body{"hello", false};
  const std::int32_t id = tunnel.open(body);
  H2Answer& answer = tunnel.client.answer(id);
  CHECK(answer.status == 200);
  CHECK(answer.header("sec-websocket-protocol") == "test");
  CHECK(answer.header("content-length").empty());
  CHECK(answer.body == "hello");
  tunnel.send(id, body, " world");
  CHECK(answer.body == "hello world");
  body.end = true;
  tunnel.send(id, body, "!");
  CHECK(answer.body == "hello world!");
  CHECK(tunnel.events.ended);
  CHECK(answer.ended);
  CHECK(!answer.was_reset);
}

TEST_CASE("h2_tunnel: carries more than its windows and buffers hold") {
  Tunnel tunnel;
  tunnel.start();
  const std::string large(700'000, 'x');
  H2Upload body{large, true};
  const std::int32_t id = tunnel.open(body);
  CHECK(tunnel.client.answer(id).body == large);
  CHECK(tunnel.client.answer(id).ended);
}

TEST_CASE("h2_tunnel: what was written last still leaves when the session has ended") {
  Tunnel tunnel;
  tunnel.start();
  tunnel.events.farewell = std::string(50'000, 'f');
  tunnel.events.stop_reading = true;
  tunnel.stream.limit_writes(1'000);
  H2Upload body{"", false};
  const std::int32_t id = tunnel.open(body);
  tunnel.events.gate.signal();
  tunnel.turn();
  CHECK(tunnel.events.running == 0);
  CHECK(!tunnel.client.answer(id).ended);
  tunnel.stream.limit_writes(1'000'000);
  tunnel.turn();
  CHECK(tunnel.client.answer(id).body == tunnel.events.farewell);
  CHECK(tunnel.client.answer(id).ended);
  CHECK(tunnel.client.answer(id).reset_code == NGHTTP2_NO_ERROR);
}

TEST_CASE("h2_tunnel: a client that takes nothing blocks the session's writes only") {
  Tunnel tunnel;
  tunnel.start({{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
  tunnel.events.farewell = std::string(H2StreamBytes::output_bytes_max + 1, 'f');
  tunnel.events.stop_reading = true;
  H2Upload body{"", false};
  tunnel.open(body);
  tunnel.events.gate.signal();
  tunnel.turn();
  CHECK(tunnel.events.running == 1);
  CHECK(tunnel.answer_to(tunnel.client.get("/nowhere")).status == 404);
  tunnel.stream.end();
  run_queue().run();
  CHECK(tunnel.events.running == 0);
}

TEST_CASE("h2_tunnel: a session that is not read from holds the client's bytes in its window") {
  Tunnel tunnel;
  tunnel.start();
  tunnel.events.stop_reading = true;
  H2Upload body{std::string(200'000, 'x'), false};
  tunnel.open(body);
  CHECK(body.sent == 64 * 1024);
  tunnel.events.gate.signal();
}

TEST_CASE("h2_tunnel: a reset by the client is a connection that was reset") {
  Tunnel tunnel;
  tunnel.start();
  H2Upload body{"hello", false};
  const std::int32_t id = tunnel.open(body);
  tunnel.client.reset(id);
  tunnel.turn();
  CHECK(tunnel.events.error == Errc::connection_reset);
  CHECK(tunnel.events.running == 0);
}

TEST_CASE("h2_tunnel: a session that is cancelled resets the stream") {
  Tunnel tunnel;
  tunnel.start();
  tunnel.events.stop_reading = true;
  tunnel.events.cancel = Errc::timeout_idle;
  H2Upload body{"", false};
  const std::int32_t id = tunnel.open(body);
  tunnel.events.gate.signal();
  tunnel.turn();
  CHECK(tunnel.client.answer(id).was_reset);
  CHECK(!tunnel.client.answer(id).ended);
}

TEST_CASE("h2_tunnel: a handler may refuse, and other streams go on") {
  Tunnel tunnel;
  tunnel.service.count = 1;
  tunnel.start();
  H2Upload body{"", false};
  const std::int32_t id = tunnel.open(body);
  CHECK(tunnel.client.answer(id).status == 403);
  CHECK(tunnel.client.answer(id).body == "no\n");
  CHECK(tunnel.client.answer(id).ended);
  CHECK(tunnel.answer_to(tunnel.client.get("/app")).status == 426);
}

TEST_CASE("h2_tunnel: ends when the connection is lost") {
  Tunnel tunnel;
  tunnel.start();
  H2Upload body{"hello", false};
  tunnel.open(body);
  CHECK(tunnel.events.running == 1);
  tunnel.stream.break_off();
  run_queue().run();
  CHECK(tunnel.events.running == 0);
  CHECK(tunnel.finished);
}
