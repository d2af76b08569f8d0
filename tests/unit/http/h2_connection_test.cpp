#include "http/h2_connection.hpp"

#include <doctest/doctest.h>

#include "h2_harness.hpp"

using namespace portero;
using namespace portero::http;

namespace {

Task<> hello(H2TestService&, Exchange& exchange) { (void)co_await respond(exchange, 200, "hello"); }

// Reports what a handler sees of the request.
Task<> describe(H2TestService&, Exchange& exchange) {
  const Request& request = exchange.request;
  std::string text;
  for (const std::string_view part : {request.method_text, request.scheme, request.authority,
                                      request.host, request.target, request.path, request.query}) {
    text.append(part).append("|");
  }
  for (const Field& field : request.headers) {
    text.append(field.name).append("=").append(field.value).append(";");
  }
  (void)co_await respond(exchange, 200, text);
}

Task<> never(H2TestService& service, Exchange&) { co_await service.gate; }

void add_routes(H2TestService& service) {
  service.routes["/hello"] = &hello;
  service.routes["/describe"] = &describe;
  service.routes["/never"] = &never;
}

struct Connection : H2Harness {
  Connection() {
    add_routes(service);
    start();
  }
};

}  // namespace

TEST_CASE("h2_connection: announces its limits and extended CONNECT") {
  Connection connection;
  auto& settings = connection.client.server_settings;
  CHECK(settings[NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS] == 100);
  CHECK(settings[NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL] == 1);
  CHECK(settings[NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE] == header_bytes_max);
  CHECK(nghttp2_session_get_remote_window_size(connection.client.session()) == 1024 * 1024);
}

TEST_CASE("h2_connection: answers a GET, head and body in one write") {
  Connection connection;
  const unsigned writes = connection.stream.write_calls;
  const std::int32_t id = connection.client.get("/hello");
  const H2Answer& answer = connection.answer_to(id);
  CHECK(answer.status == 200);
  CHECK(answer.body == "hello");
  CHECK(answer.header("content-length") == "5");
  CHECK(answer.header("content-type") == "text/plain; charset=utf-8");
  CHECK(answer.header("server") == "portero");
  CHECK(answer.header("date").size() == 29);
  CHECK(answer.ended);
  CHECK(!answer.was_reset);
  CHECK(connection.stream.write_calls == writes + 1);
}

TEST_CASE("h2_connection: sixteen answers of a turn leave with one write") {
  Connection connection;
  std::vector<std::int32_t> ids;
  for (int i = 0; i < 16; ++i) ids.push_back(connection.client.get("/hello"));
  const unsigned writes = connection.stream.write_calls;
  connection.turn();
  CHECK(connection.stream.write_calls == writes + 1);
  for (const std::int32_t id : ids) CHECK(connection.client.answer(id).body == "hello");
  CHECK(connection.service.served == 16);
}

TEST_CASE("h2_connection: serves a client whose bytes come one by one") {
  H2Harness connection;
  add_routes(connection.service);
  connection.client.settings();
  const std::int32_t id = connection.client.get("/hello");
  const std::string bytes = connection.client.take_output();
  for (const char byte : bytes) connection.stream.feed(std::string(1, byte));
  connection.begin();
  CHECK(connection.client.answer(id).body == "hello");
}

TEST_CASE("h2_connection: hands the request over as HTTP/1 does") {
  Connection connection;
  const std::int32_t id =
      connection.client.get("/describe?a=b", {{"accept", "*/*"}, {"x-test", "1"}});
  CHECK(connection.answer_to(id).body ==
        "GET|https|example.com|example.com|/describe?a=b|/describe|a=b|"
        "accept=*/*;x-test=1;host=example.com;");
}

TEST_CASE("h2_connection: joins cookie crumbs into one field") {
  Connection connection;
  const std::int32_t id =
      connection.client.get("/describe", {{"cookie", "a=1"}, {"cookie", "b=2"}, {"cookie", "c=3"}});
  CHECK(connection.answer_to(id).body.find("cookie=a=1; b=2; c=3;") != std::string::npos);
}

TEST_CASE("h2_connection: goes on with bytes that were read before") {
  H2Harness connection;
  add_routes(connection.service);
  connection.client.settings();
  const std::int32_t id = connection.client.get("/hello");
  connection.early.append(connection.client.take_output());
  connection.begin();
  CHECK(connection.client.answer(id).body == "hello");
}

TEST_CASE("h2_connection: answers HEAD without a body but with its length") {
  Connection connection;
  const std::int32_t id = connection.client.request(H2Client::head("HEAD", "/hello"));
  const H2Answer& answer = connection.answer_to(id);
  CHECK(answer.status == 200);
  CHECK(answer.header("content-length") == "5");
  CHECK(answer.body.empty());
  CHECK(answer.ended);
}

TEST_CASE("h2_connection: a stream that is not answered holds up no other") {
  Connection connection;
  const std::int32_t stuck = connection.client.get("/never");
  const std::int32_t id = connection.client.get("/hello");
  CHECK(connection.answer_to(id).body == "hello");
  CHECK(!connection.client.answer(stuck).closed);
  connection.open_gate();
}

TEST_CASE("h2_connection: a handler that answers nothing is answered for with 500") {
  Connection connection;
  const std::int32_t id = connection.client.get("/never");
  connection.turn();
  connection.open_gate();
  CHECK(connection.client.answer(id).status == 500);
}

TEST_CASE("h2_connection: ends when the client leaves, after its handlers") {
  Connection connection;
  connection.client.get("/never");
  connection.turn();
  connection.stream.end();
  run_queue().run();
  CHECK(!connection.finished);
  CHECK(connection.service.running == 1);
  connection.service.gate.signal();
  run_queue().run();
  CHECK(connection.finished);
  CHECK(connection.service.running == 0);
}

TEST_CASE("h2_connection: an idle client is told so and left") {
  Connection connection;
  connection.pass(connection.timeouts.idle + Milliseconds(100));
  CHECK(connection.client.goaway);
  CHECK(connection.client.goaway_code == NGHTTP2_NO_ERROR);
  CHECK(connection.stream.write_ended);
  connection.stream.end();
  run_queue().run();
  CHECK(connection.finished);
}

TEST_CASE("h2_connection: a request keeps the connection from being idle") {
  Connection connection;
  connection.client.get("/never");
  connection.turn();
  connection.pass(connection.timeouts.idle * 2);
  CHECK(!connection.client.goaway);
  connection.open_gate();
  connection.pass(connection.timeouts.idle - Milliseconds(1'000));
  CHECK(!connection.client.goaway);
  connection.pass(Milliseconds(2'000));
  CHECK(connection.client.goaway);
}

TEST_CASE("h2_connection: a header block that does not end is not waited for") {
  Connection connection;
  connection.send_raw(h2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, "\x82"));
  connection.pass(connection.timeouts.header - Milliseconds(1'000));
  CHECK(!connection.client.goaway);
  connection.pass(Milliseconds(2'000));
  CHECK(connection.client.goaway);
}

TEST_CASE("h2_connection: a client that does not complete its preface is not waited for") {
  H2Harness connection;
  connection.client_silent = true;
  connection.stream.feed("PRI * HTTP/2.0");
  connection.begin();
  connection.pass(connection.timeouts.header - Milliseconds(1'000));
  CHECK(!connection.stream.write_ended);
  connection.pass(Milliseconds(2'000));
  CHECK(connection.stream.write_ended);
}

TEST_CASE("h2_connection: a client of another protocol is sent away") {
  H2Harness connection;
  connection.client_silent = true;
  connection.stream.feed("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
  connection.begin();
  CHECK(connection.stream.write_ended);
  connection.stream.end();
  run_queue().run();
  CHECK(connection.finished);
}

TEST_CASE("h2_connection: announces the end before it drains, and serves what is under way") {
  Connection connection;
  const std::int32_t id = connection.client.get("/never");
  connection.turn();
  connection.service.drain = true;
  connection.stream.readable().signal();
  connection.turn();
  REQUIRE(connection.client.goaway_ids.size() == 2);
  CHECK(connection.client.goaway_ids[0] == INT32_MAX);
  CHECK(connection.client.goaway_ids[1] == id);
  CHECK(connection.client.goaway_code == NGHTTP2_NO_ERROR);
  CHECK(!connection.finished);
  connection.open_gate();
  CHECK(connection.client.answer(id).status == 500);
  connection.stream.end();
  run_queue().run();
  CHECK(connection.finished);
}

TEST_CASE("h2_connection: an idle connection that is drained ends at once") {
  Connection connection;
  connection.service.drain = true;
  connection.stream.readable().signal();
  connection.turn();
  CHECK(connection.client.goaway);
  CHECK(connection.stream.write_ended);
  connection.pass(Milliseconds(3'000));
  CHECK(connection.finished);
}

TEST_CASE("h2_connection: a client that does not read is cut after a while") {
  Connection connection;
  connection.stream.limit_writes(0);
  for (int i = 0; i < 16; ++i) connection.client.get("/hello");
  connection.turn();
  CHECK(connection.service.served == 16);
  connection.pass(connection.timeouts.write + Milliseconds(200));
  CHECK(connection.finished);
  CHECK(connection.stream.failure() == Errc::timeout_write);
}
