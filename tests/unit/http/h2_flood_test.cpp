// Malformed requests and attacks, over a whole connection.
// Source: RFC 9113 §8, §10.5; CVE-2019-9511 to -9518, CVE-2023-44487, CVE-2025-8671, VU#421644.
#include <doctest/doctest.h>

#include "h2_harness.hpp"

using namespace portero;
using namespace portero::http;

namespace {

Task<> hello(H2TestService&, Exchange& exchange) { (void)co_await respond(exchange, 200, "hello"); }

Task<> never(H2TestService& service, Exchange&) { co_await service.gate; }

struct Target : H2Harness {
  Target() {
    service.routes["/"] = &hello;
    service.routes["/never"] = &never;
    start();
  }

  // Sends `bytes` over and over; returns whether the server has ended the connection for it. What
  // it answers is not shown to nghttp2's client, which would find fault with it.
  bool floods(const std::string& bytes, int times = 3'000) {
    client_silent = true;
    for (int i = 0; i < times; i += 100) {
      std::string many;
      for (int j = 0; j < 100; ++j) many += bytes;
      stream.feed(many);
      run_queue().run();
      const int code = h2_goaway_code(stream.take_written());
      if (code >= 0) return code == NGHTTP2_ENHANCE_YOUR_CALM;
    }
    return false;
  }
};

// The fate of a request with these fields: -1 reset with PROTOCOL_ERROR, otherwise its status.
int fate(const H2TextFields& fields) {
  Target target;
  const H2Answer& answer = target.answer_to(target.client.request(fields));
  // The connection has survived it.
  CHECK(target.answer_to(target.client.get("/")).body == "hello");
  if (answer.was_reset && answer.reset_code == NGHTTP2_PROTOCOL_ERROR) return -1;
  return answer.status;
}

H2TextFields with(const H2TextFields& more) {
  H2TextFields fields = H2Client::head("GET", "/");
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

H2TextFields without(const std::string& name) {
  H2TextFields fields;
  for (const auto& field : H2Client::head("GET", "/")) {
    if (field.first != name) fields.push_back(field);
  }
  return fields;
}

H2TextFields changed(const std::string& name, const std::string& value) {
  H2TextFields fields = H2Client::head("GET", "/");
  for (auto& field : fields) {
    if (field.first == name) field.second = value;
  }
  return fields;
}

}  // namespace

TEST_CASE("h2_flood: a request that lacks a pseudo field is reset") {
  for (const char* name : {":method", ":scheme", ":path", ":authority"}) {
    CHECK(fate(without(name)) == -1);
  }
  H2TextFields twice = H2Client::head("GET", "/");
  twice.emplace_back(":path", "/");
  CHECK(fate(twice) == -1);
  CHECK(fate(with({{"x", "1"}, {":path", "/"}})) == -1);
  CHECK(fate(with({{":status", "200"}})) == -1);
}

TEST_CASE("h2_flood: connection-specific fields are reset") {
  for (const char* name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    CHECK(fate(with({{name, "x"}})) == -1);
  }
  CHECK(fate(with({{"te", "gzip"}})) == -1);
  CHECK(fate(with({{"te", "trailers"}})) == 200);
}

TEST_CASE("h2_flood: names and values that could not be relayed are reset") {
  CHECK(fate(with({{"x y", "1"}})) == -1);
  CHECK(fate(with({{"x:y", "1"}})) == -1);
  CHECK(fate(with({{"x", "a\r\nb: c"}})) == -1);
  CHECK(fate(with({{"x", std::string("a\0b", 3)}})) == -1);
  CHECK(fate(with({{"x", " a"}})) == -1);
  CHECK(fate(changed(":method", "GE T")) == -1);
  CHECK(fate(changed(":path", "nowhere")) == -1);
  CHECK(fate(changed(":path", "")) == -1);
  CHECK(fate(changed(":path", "/a b")) == -1);
  CHECK(fate(changed(":authority", "a b")) == -1);
  CHECK(fate(changed(":scheme", "http")) == -1);
}

TEST_CASE("h2_flood: host must be that of the authority") {
  CHECK(fate(with({{"host", "other.com"}})) == -1);
  CHECK(fate(with({{"host", "example.com"}})) == 200);
  CHECK(fate(changed(":authority", "user@example.com")) == 400);
}

TEST_CASE("h2_flood: a head that is too large is answered with 431") {
  CHECK(fate(with({{"x-large", std::string(20'000, 'x')}})) == 431);
  H2TextFields many;
  for (int i = 0; i < 200; ++i) many.emplace_back("cookie", "a=b");
  CHECK(fate(with(many)) == 431);
}

TEST_CASE("h2_flood: plain CONNECT is answered with 405, unknown protocols with 501") {
  CHECK(fate({{":method", "CONNECT"}, {":authority", "example.com:443"}}) == 405);
  H2TextFields udp = H2Client::head("CONNECT", "/");
  udp.emplace_back(":protocol", "connect-udp");
  CHECK(fate(udp) == 501);
}

TEST_CASE("h2_flood: each flood of cheap frames ends the connection") {
  const std::string ping = h2_frame(NGHTTP2_PING, 0, 0, "12345678");
  const std::string settings = h2_frame(NGHTTP2_SETTINGS, 0, 0);
  const std::string priority = h2_frame(NGHTTP2_PRIORITY, 0, 3, std::string("\0\0\0\0\1", 5));
  const std::string unknown = h2_frame(0x42, 0, 0, "hello");
  const std::string window = h2_frame(NGHTTP2_WINDOW_UPDATE, 0, 0, std::string("\0\0\0\1", 4));
  for (const std::string& bytes : {ping, settings, priority, unknown, window}) {
    Target target;
    CHECK(target.floods(bytes));
    target.stream.end();
    run_queue().run();
    CHECK(target.finished);
  }
}

TEST_CASE("h2_flood: empty DATA without an end is a flood") {
  Target target;
  H2Upload body{"", false};
  const std::int32_t id = target.client.post("/never", body);
  target.turn();
  CHECK(target.floods(h2_frame(NGHTTP2_DATA, 0, static_cast<std::uint32_t>(id))));
}

TEST_CASE("h2_flood: acknowledgements do not pile up when the client does not read") {
  Target target;
  target.stream.limit_writes(0);
  const std::string ping = h2_frame(NGHTTP2_PING, 0, 0, "12345678");
  for (int i = 0; i < 2'000; ++i) target.stream.feed(ping);
  run_queue().run();
  CHECK(target.stream.all_read() == false);
  target.stream.limit_writes(1'000'000);
  target.turn();
  CHECK(target.client.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST_CASE("h2_flood: rapid resets end the connection and reach no handler") {
  Target target;
  const int served = target.service.served;
  for (int i = 0; i < 1'000 && !target.client.goaway; ++i) {
    const std::int32_t id = target.client.get("/never");
    std::string bytes = target.client.take_output();
    target.client.reset(id);
    bytes += target.client.take_output();
    target.stream.feed(bytes);
    if (i % 50 == 49) target.turn();
  }
  target.turn();
  CHECK(target.client.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
  CHECK(target.service.served == served);
}

TEST_CASE("h2_flood: a cancelled stream keeps its place until its work has ended") {
  Target target;
  for (int i = 0; i < 100; ++i) {
    const std::int32_t id = target.client.get("/never");
    target.turn();
    target.client.reset(id);
    target.turn();
  }
  CHECK(target.service.running == 100);
  const std::int32_t refused = target.client.get("/");
  CHECK(target.answer_to(refused).reset_code == NGHTTP2_REFUSED_STREAM);
  CHECK(target.service.served == 100);
  for (int i = 0; i < 100; ++i) target.open_gate();
  CHECK(target.service.running == 0);
  CHECK(target.answer_to(target.client.get("/")).body == "hello");
}

TEST_CASE("h2_flood: streams that the client makes the server reset end the connection") {
  Target target;
  // A window of a stream that overflows is an error of that stream alone.
  for (int i = 0; i < 1'000 && !target.client.goaway; ++i) {
    const std::int32_t id = target.client.get("/never");
    target.send_raw(
        h2_frame(NGHTTP2_WINDOW_UPDATE, 0, static_cast<std::uint32_t>(id), "\x7f\xff\xff\xff"));
    target.turn();
    target.open_gate();
  }
  CHECK(target.client.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST_CASE("h2_flood: malformed requests by the hundred end the connection") {
  Target target;
  for (int i = 0; i < 1'000 && !target.client.goaway; ++i) {
    target.client.request(with({{"connection", "x"}}));
    target.turn();
  }
  CHECK(target.client.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST_CASE("h2_flood: a header block in too many frames ends the connection") {
  Target target;
  std::string bytes = h2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, "\x82");
  for (int i = 0; i < 20; ++i) bytes += h2_frame(NGHTTP2_CONTINUATION, 0, 1);
  target.send_raw(bytes);
  target.turn();
  CHECK(target.client.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
}

TEST_CASE("h2_flood: a small block that decodes to many fields ends the connection") {
  Target target;
  // One field is put into the table, then named by one byte each time.
  std::string block("\x82\x87\x84\x01\x0b", 5);
  block += "example.com";
  block += std::string("\x40\x01x\x7f\x81\x1e", 6) + std::string(285, 'y');
  block += std::string(10'000, '\xbe');
  target.send_raw(
      h2_frame(NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM | NGHTTP2_FLAG_END_HEADERS, 1, block));
  target.turn();
  CHECK(target.client.goaway_code == NGHTTP2_ENHANCE_YOUR_CALM);
  CHECK(target.service.served == 0);
}

TEST_CASE("h2_flood: more streams than announced are refused") {
  Target target;
  for (int i = 0; i < 150; ++i) target.client.get("/never");
  target.turn();
  CHECK(target.service.running == 100);
  for (int i = 0; i < 150; ++i) target.open_gate();
  CHECK(target.service.served == 150);
}
