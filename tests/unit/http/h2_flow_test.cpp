// Bodies in both directions: flow control, pieces, lengths, trailers, resets, deadlines.
#include <doctest/doctest.h>

#include "h2_harness.hpp"
#include "http/h2_session.hpp"

using namespace portero;
using namespace portero::http;

namespace {

constexpr std::size_t big_bytes = 1024 * 1024;

const std::string& big_body() {
  static const std::string body = [] {
    std::string text;
    while (text.size() < big_bytes) text += std::to_string(text.size()) + ",";
    text.resize(big_bytes);
    return text;
  }();
  return body;
}

// Reads the whole body, then answers with its length; `error` says what failed.
Task<> upload(H2TestService& service, Exchange& exchange) {
  for (;;) {
    const Result<Bytes> piece = co_await exchange.read_body();
    if (!piece) {
      service.error = piece.error().code;
      exchange.reset(service.error);
      co_return;
    }
    if (piece->empty()) break;
    service.log.append(*piece);
  }
  for (const Field& field : exchange.request.trailers) {
    service.log.append(field.name).append("=").append(field.value);
  }
  (void)co_await respond(exchange, 200, exchange.arena.copy(std::to_string(service.log.size())));
}

// Reads a piece each time the gate opens.
Task<> slow_upload(H2TestService& service, Exchange& exchange) {
  for (;;) {
    co_await service.gate;
    const Result<Bytes> piece = co_await exchange.read_body();
    if (!piece || piece->empty()) break;
    service.count += piece->size();
  }
  (void)co_await respond(exchange, 200, "done");
}

Task<> early_answer(H2TestService&, Exchange& exchange) {
  (void)co_await respond(exchange, 403, "no");
}

Task<> big(H2TestService& service, Exchange& exchange) {
  const Result<> sent = co_await respond(exchange, 200, big_body());
  service.error = sent ? Errc::ok : sent.error().code;
}

// Sends `count` small pieces without a length, then a trailer.
Task<> pieces(H2TestService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.body = BodyKind::chunked;
  (void)co_await exchange.send_head(response);
  for (std::size_t i = 0; i < service.count; ++i) {
    const Result<> sent = co_await exchange.send_body("0123456789", Last::no);
    if (!sent) co_return;
  }
  response.trailers.add("X-Checksum", "abc");
  (void)co_await exchange.send_body({}, Last::yes);
}

Task<> head_then_wait(H2TestService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.body = BodyKind::length;
  response.content_length = 10;
  (void)co_await exchange.send_head(response);
  (void)co_await exchange.send_body("01234", Last::no);
  co_await service.gate;
  (void)co_await exchange.send_body(service.log, Last::yes);
}

Task<> hints(H2TestService& service, Exchange& exchange) {
  Response hint(exchange.arena);
  hint.status = 103;
  hint.headers.add("link", "</a.css>");
  (void)co_await exchange.send_interim(hint);
  co_await service.gate;
  (void)co_await respond(exchange, 200, "ok");
}

Task<> empty_answers(H2TestService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.status = static_cast<int>(service.count);
  response.headers.add("x-kind", "empty");
  (void)co_await exchange.send_head(response);
  (void)co_await exchange.send_body({}, Last::yes);
}

struct Flow : H2Harness {
  explicit Flow(bool auto_window = true, const std::vector<nghttp2_settings_entry>& settings = {})
      : H2Harness(auto_window) {
    service.routes["/upload"] = &upload;
    service.routes["/slow"] = &slow_upload;
    service.routes["/early"] = &early_answer;
    service.routes["/big"] = &big;
    service.routes["/pieces"] = &pieces;
    service.routes["/wait"] = &head_then_wait;
    service.routes["/hints"] = &hints;
    service.routes["/empty"] = &empty_answers;
    start(settings);
  }
};

}  // namespace

TEST_CASE("h2_flow: takes an upload, with and without a length") {
  Flow flow;
  H2Upload body{big_body()};
  CHECK(flow.answer_to(flow.client.post("/upload", body)).body == std::to_string(big_bytes));
  CHECK(flow.service.log == big_body());
  flow.service.log.clear();
  H2Upload again{"abc"};
  const std::int32_t id = flow.client.post("/upload", again, {{"content-length", "3"}});
  CHECK(flow.answer_to(id).body == "3");
}

TEST_CASE("h2_flow: a body that is not read is not taken beyond the stream's window") {
  Flow flow;
  H2Upload body{big_body()};
  const std::int32_t id = flow.client.post("/slow", body);
  flow.turn();
  CHECK(body.sent == H2Session::stream_window_bytes);
  flow.open_gate();
  CHECK(flow.service.count == H2Session::stream_window_bytes);
  CHECK(body.sent == H2Session::stream_window_bytes);  // taken, but not given back yet
  flow.open_gate();
  CHECK(body.sent > H2Session::stream_window_bytes);
  while (!flow.answer_to(id).ended) flow.open_gate();
  CHECK(flow.service.count == big_bytes);
}

TEST_CASE("h2_flow: a stream that moves gets a wider window") {
  Flow flow;
  H2Upload body{big_body()};
  flow.client.post("/slow", body);
  flow.turn();
  flow.open_gate();
  flow.open_gate();
  // What was taken first has been given back; the piece that was taken last has not.
  CHECK(body.sent == H2Session::stream_window_bytes + H2Session::wide_window_bytes);
  flow.stream.end();
}

TEST_CASE("h2_flow: many streams that are not read hold up no other") {
  Flow flow;
  std::vector<H2Upload> stalled(50, H2Upload{big_body()});
  for (H2Upload& body : stalled) flow.client.post("/slow", body);
  flow.turn();
  H2Upload body{big_body()};
  CHECK(flow.answer_to(flow.client.post("/upload", body)).ended);
  flow.stream.end();
}

TEST_CASE("h2_flow: an early answer stops the upload without an error") {
  Flow flow;
  H2Upload body{big_body()};
  const std::int32_t id = flow.client.post("/early", body);
  const H2Answer& answer = flow.answer_to(id);
  CHECK(answer.status == 403);
  CHECK(answer.body == "no");
  CHECK(answer.was_reset);
  CHECK(answer.reset_code == NGHTTP2_NO_ERROR);
  CHECK(body.sent < big_bytes);
}

TEST_CASE("h2_flow: a body of another length than announced is refused") {
  for (const char* length : {"2", "4"}) {
    Flow flow;
    H2Upload body{"abc"};
    const std::int32_t id = flow.client.post("/upload", body, {{"content-length", length}});
    const H2Answer& answer = flow.answer_to(id);
    CHECK(answer.was_reset);
    CHECK(answer.reset_code == NGHTTP2_PROTOCOL_ERROR);
    CHECK(flow.service.error == Errc::bad_framing);
    CHECK(answer.status == 0);
  }
}

TEST_CASE("h2_flow: hands over trailers of the request") {
  Flow flow;
  H2Upload body{"abc"};
  body.trailers = {{"x-end", "1"}, {"content-length", "3"}};
  flow.client.post("/upload", body);
  flow.turn();
  CHECK(flow.service.log == "abcx-end=1");
}

TEST_CASE("h2_flow: says 100 when a client waits for it and the body is wanted") {
  Flow flow;
  H2Upload body{"", false};
  const std::int32_t id = flow.client.post("/upload", body, {{"expect", "100-continue"}});
  flow.turn();
  CHECK(flow.client.answer(id).status == 100);
  body.data = "abc";
  body.end = true;
  flow.client.resume(id);
  CHECK(flow.answer_to(id).body == "3");
  H2Upload unwanted{"", false};
  const std::int32_t refused = flow.client.post("/early", unwanted, {{"expect", "100-continue"}});
  CHECK(flow.answer_to(refused).status == 403);
  CHECK(flow.client.answer(refused).interim.empty());
}

TEST_CASE("h2_flow: a body that stops is not waited for") {
  Flow flow;
  H2Upload body{"abc", false};
  const std::int32_t id = flow.client.post("/upload", body);
  flow.turn();
  flow.pass(flow.timeouts.body - Milliseconds(1'000));
  CHECK(flow.service.error == Errc::ok);
  flow.pass(Milliseconds(2'000));
  CHECK(flow.service.error == Errc::timeout_body);
  CHECK(flow.answer_to(id).reset_code == NGHTTP2_CANCEL);
}

TEST_CASE("h2_flow: a byte now and then does not keep a body alive") {
  Flow flow;
  H2Upload body{"a", false};
  const std::int32_t id = flow.client.post("/upload", body);
  flow.turn();
  for (int i = 0; i < 20 && flow.service.error == Errc::ok; ++i) {
    flow.pass(flow.timeouts.body / 10);
    body.data += 'a';
    flow.client.resume(id);
    flow.turn();
  }
  CHECK(flow.service.error == Errc::timeout_body);
}

TEST_CASE("h2_flow: a large answer passes through a small window") {
  Flow flow(true, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 1'000}});
  const std::int32_t id = flow.client.get("/big");
  const H2Answer& answer = flow.answer_to(id);
  CHECK(answer.body == big_body());
  CHECK(answer.ended);
  CHECK(flow.service.error == Errc::ok);
}

TEST_CASE("h2_flow: a client that opens no window gets no more than it allows") {
  Flow flow(false);
  const std::int32_t id = flow.client.get("/big");
  const std::int32_t other = flow.client.get("/hints");
  flow.turn();
  CHECK(flow.client.answer(id).body.size() == 65'535);
  CHECK(flow.client.answer(other).status == 103);
  flow.client.open_window(id, 65'535);
  flow.turn();
  CHECK(flow.client.answer(id).body.size() == 2 * 65'535);
  flow.stream.end();
}

TEST_CASE("h2_flow: a response that makes no progress is given up") {
  Flow flow(false);
  const std::int32_t id = flow.client.get("/big");
  flow.turn();
  flow.pass(flow.timeouts.write + Milliseconds(200));
  CHECK(flow.service.error == Errc::timeout_write);
  CHECK(flow.client.answer(id).reset_code == NGHTTP2_CANCEL);
  CHECK(flow.service.running == 0);
}

TEST_CASE("h2_flow: a stream whose little response cannot leave is given up too") {
  Flow flow(false, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
  flow.service.count = 3;
  const std::int32_t id = flow.client.get("/pieces");
  flow.turn();
  CHECK(flow.service.running == 0);
  flow.pass(flow.timeouts.write + Milliseconds(200));
  CHECK(flow.client.answer(id).was_reset);
}

TEST_CASE("h2_flow: small pieces share frames, trailers follow the body") {
  Flow flow;
  flow.service.count = 1'000;
  const H2Answer& answer = flow.answer_to(flow.client.get("/pieces"));
  CHECK(answer.body.size() == 10'000);
  CHECK(answer.ended);
  CHECK(answer.trailers == H2TextFields{{"x-checksum", "abc"}});
  CHECK(answer.header("content-length").empty());
}

TEST_CASE("h2_flow: trailers follow an empty body") {
  Flow flow;
  const H2Answer& answer = flow.answer_to(flow.client.get("/pieces"));
  CHECK(answer.ended);
  CHECK(answer.status == 200);
}

TEST_CASE("h2_flow: pieces beyond what a stream keeps wait for the client") {
  Flow flow(false, {{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0}});
  flow.service.count = 100'000;
  flow.client.get("/pieces");
  flow.turn();
  CHECK(flow.service.running == 1);
  flow.stream.end();
}

TEST_CASE("h2_flow: head and first piece leave before the rest is there") {
  Flow flow;
  const std::int32_t id = flow.client.get("/wait");
  CHECK(flow.answer_to(id).body == "01234");
  flow.service.log = "56789";
  flow.open_gate();
  CHECK(flow.client.answer(id).body == "0123456789");
  CHECK(flow.client.answer(id).ended);
}

TEST_CASE("h2_flow: an answer that is shorter or longer than it said is broken off") {
  for (const char* rest : {"5678", "56789a"}) {
    Flow flow;
    const std::int32_t id = flow.client.get("/wait");
    flow.turn();
    flow.service.log = rest;
    flow.open_gate();
    CHECK(!flow.client.answer(id).ended);
    CHECK(flow.client.answer(id).reset_code == NGHTTP2_INTERNAL_ERROR);
  }
}

TEST_CASE("h2_flow: an answer that is not completed is broken off") {
  Flow flow;
  const std::int32_t id = flow.client.get("/wait");
  flow.turn();
  flow.service.log = "";
  flow.open_gate();
  CHECK(flow.client.answer(id).reset_code == NGHTTP2_INTERNAL_ERROR);
}

TEST_CASE("h2_flow: interim responses leave at once") {
  Flow flow;
  const std::int32_t id = flow.client.get("/hints");
  CHECK(flow.answer_to(id).status == 103);
  CHECK(flow.client.answer(id).header("link") == "</a.css>");
  flow.open_gate();
  CHECK(flow.client.answer(id).status == 200);
  CHECK(flow.client.answer(id).interim == std::vector<int>{103});
  CHECK(flow.client.answer(id).body == "ok");
}

TEST_CASE("h2_flow: answers without a body end with their head") {
  Flow flow;
  for (const int status : {204, 304, 200}) {
    flow.service.count = static_cast<std::size_t>(status);
    const H2Answer& answer = flow.answer_to(flow.client.get("/empty"));
    CHECK(answer.status == status);
    CHECK(answer.ended);
    CHECK(answer.header("content-length") == (status == 200 ? "0" : ""));
    CHECK(answer.header("x-kind") == "empty");
  }
}

TEST_CASE("h2_flow: a status that is none is a fault of the handler") {
  for (const std::size_t status : {99, 101, 1000}) {
    Flow flow;
    flow.service.count = status;
    const H2Answer& answer = flow.answer_to(flow.client.get("/empty"));
    CHECK(answer.reset_code == NGHTTP2_INTERNAL_ERROR);
  }
}

TEST_CASE("h2_flow: a client that resets a stream in the middle ends the handler's wait") {
  Flow flow(false);
  const std::int32_t id = flow.client.get("/big");
  flow.turn();
  CHECK(flow.service.running == 1);
  flow.client.reset(id);
  flow.turn();
  CHECK(flow.service.running == 0);
  CHECK(flow.service.error == Errc::stream_reset);
  H2Upload body{"abc", false};
  const std::int32_t up = flow.client.post("/upload", body);
  flow.turn();
  flow.client.reset(up);
  flow.turn();
  CHECK(flow.service.error == Errc::stream_reset);
  CHECK(flow.service.running == 0);
}

TEST_CASE("h2_flow: a stream reset before its turn is never served") {
  Flow flow;
  const std::int32_t id = flow.client.get("/upload");
  std::string bytes = flow.client.take_output();
  flow.client.reset(id);
  bytes += flow.client.take_output();
  const int served = flow.service.served;
  flow.stream.feed(bytes);
  flow.turn();
  CHECK(flow.service.served == served);
}

TEST_CASE("h2_flow: a blocked connection goes on where it stopped") {
  Flow flow;
  flow.stream.limit_writes(10'000);
  const std::int32_t id = flow.client.get("/big");
  flow.turn();
  while (!flow.client.answer(id).ended) {
    flow.stream.limit_writes(7'777);
    flow.turn();
  }
  CHECK(flow.client.answer(id).body == big_body());
}

TEST_CASE("h2_flow: a connection lost in the middle ends every handler") {
  Flow flow(false);
  flow.client.get("/big");
  H2Upload body{"abc", false};
  flow.client.post("/upload", body);
  flow.turn();
  CHECK(flow.service.running == 2);
  flow.stream.break_off();
  run_queue().run();
  CHECK(flow.service.running == 0);
  CHECK(flow.finished);
}
