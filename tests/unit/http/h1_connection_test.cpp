#include "http/h1_connection.hpp"

#include <string>

#include <doctest/doctest.h>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "http/date.hpp"
#include "unit/http/fake_service.hpp"
#include "unit/http/fake_stream.hpp"

using namespace portero;
using namespace portero::http;

namespace {

// --- answers -----------------------------------------------------------------------------------

Task<> say_hello(FakeService& service, Exchange& exchange) {
  const Result<> sent = co_await respond(exchange, 200, "hello");
  service.note(sent);
}

Task<> echo(FakeService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.body = BodyKind::chunked;
  Result<> sent = co_await exchange.send_head(response);
  for (;;) {
    const Result<Bytes> piece = co_await exchange.read_body();
    service.note(piece);
    if (!piece) co_return;
    const Last last = piece->empty() ? Last::yes : Last::no;
    if (piece->empty()) {
      for (const Field& field : exchange.request.trailers) {
        response.trailers.add(field.name, field.value, field.id);
      }
    }
    sent = co_await exchange.send_body(*piece, last);
    service.note(sent);
    if (!sent || last == Last::yes) co_return;
  }
}

Task<> read_all_then_say(FakeService& service, Exchange& exchange) {
  std::string body;
  for (;;) {
    const Result<Bytes> piece = co_await exchange.read_body();
    service.note(piece);
    if (!piece) {
      const Result<> refused =
          co_await respond(exchange, piece.error().info().http_status, "bad body\n");
      service.note(refused);
      co_return;
    }
    if (piece->empty()) break;
    body += *piece;
  }
  const Result<> sent = co_await respond(exchange, 200, body);
  service.note(sent);
}

Task<> send_much(FakeService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.body = BodyKind::length;
  response.content_length = 100'000;
  Result<> sent = co_await exchange.send_head(response);
  const std::string piece(50'000, 'x');
  for (const Last last : {Last::no, Last::yes}) {
    sent = co_await exchange.send_body(piece, last);
    service.note(sent);
    service.log += 'p';
  }
}

Task<> stream_events(FakeService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.headers.add("Content-Type", "text/event-stream");
  response.body = BodyKind::chunked;
  Result<> sent = co_await exchange.send_head(response);
  sent = co_await exchange.send_body("one", Last::no);
  sent = co_await exchange.send_body("", Last::no);
  co_await service.gate;
  response.trailers.add("X-Sum", "2");
  sent = co_await exchange.send_body("two", Last::yes);
  service.note(sent);
}

struct Upload {
  Errc result = Errc::ok;
  bool finished = false;
  WaitPoint ended;
};

Task<> upload(Exchange& exchange, Upload& state) {
  for (;;) {
    const Result<Bytes> piece = co_await exchange.read_body();
    if (!piece) state.result = piece.error().code;
    if (!piece || piece->empty()) break;
  }
  state.finished = true;
  state.ended.signal();
}

// As a proxy does whose upstream answers before it has the whole request.
Task<> answer_during_upload(FakeService& service, Exchange& exchange) {
  Upload state;
  spawn(upload(exchange, state));
  co_await service.gate;
  const Result<> sent = co_await respond(exchange, 200, "hello");
  service.note(sent);
  while (!state.finished) co_await state.ended;
  service.failure = state.result;
}

Task<> reset_during_upload(FakeService& service, Exchange& exchange) {
  Upload state;
  spawn(upload(exchange, state));
  co_await service.gate;
  exchange.reset(Errc::upstream_truncated);
  while (!state.finished) co_await state.ended;
  service.failure = state.result;
}

Task<> say_nothing(FakeService&, Exchange&) { co_return; }

Task<> send_too_little(FakeService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.body = BodyKind::length;
  response.content_length = 10;
  Result<> sent = co_await exchange.send_head(response);
  sent = co_await exchange.send_body("short", Last::yes);
  service.note(sent);
}

Task<> send_too_much(FakeService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.body = BodyKind::length;
  response.content_length = 2;
  Result<> sent = co_await exchange.send_head(response);
  sent = co_await exchange.send_body("too much", Last::yes);
  service.note(sent);
}

Task<> break_off(FakeService&, Exchange& exchange) {
  Response response(exchange.arena);
  response.body = BodyKind::chunked;
  Result<> sent = co_await exchange.send_head(response);
  sent = co_await exchange.send_body("part", Last::no);
  sent = co_await exchange.send_body("", Last::no);
  exchange.reset(Errc::upstream_truncated);
}

Task<> no_content(FakeService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.status = 204;
  const Result<> sent = co_await exchange.send_head(response);
  service.note(sent);
}

Task<> hint_then_hello(FakeService& service, Exchange& exchange) {
  Response hints(exchange.arena);
  hints.status = 103;
  hints.headers.add("Link", "</a.css>");
  const Result<> sent = co_await exchange.send_interim(hints);
  service.note(sent);
  co_await service.gate;
  const Result<> answered = co_await respond(exchange, 200, "hello");
  service.note(answered);
}

Task<> wait_then_hello(FakeService& service, Exchange& exchange) {
  co_await service.gate;
  service.log += exchange.client_gone() ? "gone;" : "there;";
  const Result<> sent = co_await respond(exchange, 200, "hello");
  service.note(sent);
}

Task<> switch_protocols(FakeService& service, Exchange& exchange) {
  Response response(exchange.arena);
  response.status = 101;
  response.headers.add("Connection", "Upgrade");
  response.headers.add("Upgrade", "test");
  exchange.takeover = std::move(service.session);
  const Result<> sent = co_await exchange.send_head(response);
  service.note(sent);
}

class FakeSession final : public Session {
 public:
  Task<> run(std::unique_ptr<net::ByteStream>, std::string) override { co_return; }
};

// --- the connection ----------------------------------------------------------------------------

struct Connection {
  net::FakeStream stream;
  TimerWheel timers;
  ConnectionInfo info;
  FakeService service;
  Timeouts timeouts;
  H1Context context{stream, timers, info, service, timeouts};
  Buffer input;
  bool finished = false;
  std::unique_ptr<Session> session;

  Connection() {
    service.answers = {{"/hello", &say_hello},
                       {"/echo", &echo},
                       {"/read", &read_all_then_say},
                       {"/much", &send_much},
                       {"/events", &stream_events},
                       {"/early", &answer_during_upload},
                       {"/uploadreset", &reset_during_upload},
                       {"/nothing", &say_nothing},
                       {"/little", &send_too_little},
                       {"/toomuch", &send_too_much},
                       {"/break", &break_off},
                       {"/none", &no_content},
                       {"/hint", &hint_then_hello},
                       {"/wait", &wait_then_hello},
                       {"/switch", &switch_protocols}};
    log::set_level(LogLevel::off);
    spawn(run(*this));
  }
  // A parked coroutine is never destroyed from outside: it is told to end.
  ~Connection() {
    stream.cancel(Errc::cancelled);
    service.gate.signal();
    run_queue().run();
    REQUIRE(finished);
  }

  static Task<> run(Connection& self) {
    self.session = co_await serve_h1(self.context, self.input);
    self.finished = true;
  }

  // The client sends; returns what it gets, with the changing fields cut out.
  std::string send(std::string bytes) {
    stream.feed(std::move(bytes));
    return turn();
  }
  std::string turn() {
    run_queue().run();
    std::string text = stream.take_written();
    const std::string date = "Date: " + std::string(http_date_now()) + "\r\n";
    for (const std::string& line : {date, std::string("Server: portero\r\n")}) {
      for (std::size_t at = text.find(line); at != std::string::npos; at = text.find(line)) {
        text.erase(at, line.size());
      }
    }
    return text;
  }
  std::string pass(Milliseconds time) {
    coarse_clock().monotonic_ms += time.count();
    timers.advance();
    return turn();
  }
};

std::string get(std::string_view path, std::string_view fields = "") {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: a.test\r\n" + std::string(fields) +
         "\r\n";
}

std::string post(std::string_view path, std::string_view fields, std::string_view body = "") {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: a.test\r\n" + std::string(fields) +
         "\r\n" + std::string(body);
}

const std::string hello =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 5\r\n\r\nhello";
const std::string hello_close =
    "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n"
    "Content-Length: 5\r\n\r\nhello";

}  // namespace

TEST_CASE("h1_connection: answers requests one after the other, each with one write") {
  Connection connection;
  CHECK(connection.send(get("/hello")) == hello);
  CHECK(connection.send(get("/hello")) == hello);
  CHECK(connection.stream.write_calls == 2);
  CHECK(!connection.finished);
  CHECK(connection.service.log == "/hello 200 5 0;/hello 200 5 0;");
}

TEST_CASE("h1_connection: adds Date and Server") {
  Connection connection;
  connection.stream.feed(get("/hello"));
  run_queue().run();
  CHECK(connection.stream.written.find("\r\nServer: portero\r\n") != std::string::npos);
  CHECK(connection.stream.written.find("\r\nDate: " + std::string(http_date_now()) + "\r\n") !=
        std::string::npos);
}

TEST_CASE("h1_connection: an idle connection holds no buffer and no timer but one") {
  Connection connection;
  connection.send(get("/hello"));
  CHECK(connection.input.capacity() == 0);
  CHECK(connection.context.idle);
  CHECK(connection.timers.armed_count() == 1);
}

TEST_CASE("h1_connection: a request may come in any pieces") {
  const std::string bytes = post("/read", "Content-Length: 5\r\n", "12345") + get("/hello");
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    Connection connection;
    std::string got = connection.send(bytes.substr(0, cut));
    got += connection.send(bytes.substr(cut));
    REQUIRE(got.ends_with("\r\n\r\n12345" + hello));
  }
  Connection connection;
  std::string got;
  for (const char c : bytes) got += connection.send(std::string(1, c));
  CHECK(got.ends_with("\r\n\r\n12345" + hello));
}

TEST_CASE("h1_connection: answers a pipeline in order") {
  Connection connection;
  CHECK(connection.send(get("/hello") + get("/none") + get("/hello")) ==
        hello + "HTTP/1.1 204 No Content\r\n\r\n" + hello);
}

TEST_CASE("h1_connection: closes when the client asks for it") {
  Connection connection;
  CHECK(connection.send(get("/hello", "Connection: close\r\n")) == hello_close);
  CHECK(connection.finished);
  CHECK(connection.stream.write_ended);
}

TEST_CASE("h1_connection: HTTP/1.0 closes, or is told that it may go on") {
  Connection closing;
  CHECK(closing.send("GET /hello HTTP/1.0\r\n\r\n") == hello_close);
  CHECK(closing.finished);

  Connection keeping;
  const std::string got = keeping.send("GET /hello HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(got.find("\r\nConnection: keep-alive\r\n") != std::string::npos);
  CHECK(!keeping.finished);
}

TEST_CASE("h1_connection: HTTP/1.0 gets a body of unknown length until the close") {
  Connection connection;
  connection.service.gate.signal();
  const std::string got = connection.send("GET /events HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
  CHECK(got ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\nonetwo");
  CHECK(connection.finished);
}

TEST_CASE("h1_connection: HEAD and 204 have no body and keep the connection in step") {
  Connection connection;
  CHECK(connection.send("HEAD /hello HTTP/1.1\r\nHost: a\r\n\r\n") + "hello" == hello);
  CHECK(connection.send("HEAD /much HTTP/1.1\r\nHost: a\r\n\r\n") ==
        "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
  CHECK(connection.send(get("/none")) == "HTTP/1.1 204 No Content\r\n\r\n");
  CHECK(connection.send(get("/hello")) == hello);
}

TEST_CASE("h1_connection: a draining service closes after the answer") {
  Connection connection;
  CHECK(connection.send(get("/hello")) == hello);
  connection.service.is_draining = true;
  CHECK(connection.send(get("/hello")) == hello_close);
  CHECK(connection.finished);
}

TEST_CASE("h1_connection: an idle connection can be told to end, silently") {
  Connection connection;
  connection.send(get("/hello"));
  connection.stream.cancel(Errc::cancelled);
  CHECK(connection.turn().empty());
  CHECK(connection.finished);
}

// --- request bodies ------------------------------------------------------------------------------

TEST_CASE("h1_connection: streams a chunked body with its trailers") {
  Connection connection;
  const std::string got = connection.send(post("/echo", "Transfer-Encoding: chunked\r\n",
                                               "3\r\nabc\r\n2\r\nde\r\n0\r\nX-T: v\r\n\r\n"));
  CHECK(got ==
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nabcde\r\n"
        "0\r\nX-T: v\r\n\r\n");
  CHECK(connection.service.log == "/echo 200 5 5;");
  CHECK(connection.send(get("/hello")) == hello);
}

TEST_CASE("h1_connection: asks for the body only when it is read") {
  Connection connection;
  const std::string head = post("/read", "Expect: 100-continue\r\nContent-Length: 3\r\n");
  CHECK(connection.send(head) == "HTTP/1.1 100 Continue\r\n\r\n");
  CHECK(connection.send("abc").ends_with("\r\n\r\nabc"));
  CHECK(!connection.finished);

  // Answered without reading: the client must not be left to guess, so the connection ends.
  const std::string got =
      connection.send(post("/hello", "Expect: 100-continue\r\nContent-Length: 3\r\n"));
  CHECK(got == hello_close);
  connection.stream.end();
  connection.turn();
  CHECK(connection.finished);
}

TEST_CASE("h1_connection: does not ask for a body that is there already") {
  Connection connection;
  const std::string got =
      connection.send(post("/read", "Expect: 100-continue\r\nContent-Length: 3\r\n", "abc"));
  CHECK(got.starts_with("HTTP/1.1 200 OK\r\n"));
}

TEST_CASE("h1_connection: drains a small unread body, then serves the next request") {
  Connection connection;
  CHECK(connection.send(post("/hello", "Content-Length: 6\r\n", "unr")) == hello);
  CHECK(connection.send("ead" + get("/hello")) == hello);
  CHECK(connection.send(post("/hello", "Transfer-Encoding: chunked\r\n", "1\r\na\r\n0\r\n\r\n") +
                        get("/hello")) == hello + hello);
}

TEST_CASE("h1_connection: never takes an unread body for a request") {
  Connection connection;
  const std::string smuggled = get("/smuggled");
  const std::string length = std::to_string(100'000 + smuggled.size());
  const std::string got =
      connection.send(post("/hello", "Content-Length: " + length + "\r\n", smuggled));
  CHECK(got == hello_close);
  CHECK(connection.send(get("/hello")).empty());
  connection.stream.end();
  connection.turn();
  CHECK(connection.finished);
  CHECK(connection.service.log == "/hello 200 5 0;");
}

TEST_CASE("h1_connection: a body that stays away is drained for a short time only") {
  Connection connection;
  CHECK(connection.send(post("/hello", "Content-Length: 6\r\n", "unr")) == hello);
  CHECK(connection.pass(Milliseconds(2'200)).empty());
  CHECK(connection.stream.write_ended);  // lingering
  CHECK(connection.pass(Milliseconds(2'200)).empty());
  CHECK(connection.finished);
}

TEST_CASE("h1_connection: a malformed body is the handler's error and ends the connection") {
  Connection connection;
  const std::string got =
      connection.send(post("/read", "Transfer-Encoding: chunked\r\n", "3\r\nabcX\r\n"));
  CHECK(connection.service.failure == Errc::bad_framing);
  CHECK(got.starts_with("HTTP/1.1 400 Bad Request\r\n"));
  CHECK(got.find("\r\nConnection: close\r\n") != std::string::npos);
  CHECK(connection.send(get("/hello")).empty());
}

TEST_CASE("h1_connection: a client that leaves inside its body is an error for the handler") {
  Connection connection;
  connection.send(post("/read", "Content-Length: 6\r\n", "abc"));
  connection.stream.end();
  connection.turn();
  CHECK(connection.service.failure == Errc::end_of_stream);
  CHECK(connection.finished);
}

TEST_CASE("h1_connection: the end of the answer ends a wait for the body") {
  Connection connection;
  connection.send(post("/early", "Content-Length: 6\r\n", "abc"));
  connection.service.gate.signal();
  CHECK(connection.turn() == hello);
  CHECK(connection.service.failure == Errc::cancelled);
  CHECK(connection.service.log == "/early 200 5 3;");
  CHECK(connection.send("def" + get("/hello")) == hello);  // the rest was drained

  Connection broken;
  broken.send(post("/uploadreset", "Content-Length: 6\r\n", "abc"));
  broken.service.gate.signal();
  CHECK(broken.turn().empty());
  CHECK(broken.service.failure == Errc::cancelled);
  CHECK(broken.finished);
}

// --- time ----------------------------------------------------------------------------------------

TEST_CASE("h1_connection: one deadline covers the whole head") {
  Connection connection;
  connection.send("GET / HT");
  for (int i = 0; i < 5; ++i) {
    CHECK(connection.pass(Milliseconds(11'000)).empty());
    CHECK(connection.send("T").empty());
  }
  const std::string got = connection.pass(Milliseconds(6'000));
  CHECK(got.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  CHECK(got.find("\r\nConnection: close\r\n") != std::string::npos);
}

TEST_CASE("h1_connection: a silent client is closed silently") {
  Connection fresh;
  CHECK(fresh.pass(Milliseconds(61'000)).empty());
  CHECK(fresh.finished);

  Connection idle;
  idle.send(get("/hello"));
  CHECK(idle.pass(Milliseconds(290'000)).empty());
  CHECK(!idle.finished);
  CHECK(idle.pass(Milliseconds(11'000)).empty());
  CHECK(idle.finished);
}

TEST_CASE("h1_connection: a body must make progress, and a byte now and then is none") {
  Connection connection;
  connection.send(post("/read", "Content-Length: 100000\r\n"));
  for (int i = 0; i < 10; ++i) {  // 1 KiB in 50 s is progress
    CHECK(connection.pass(Milliseconds(50'000)).empty());
    CHECK(connection.send(std::string(1024, 'x')).empty());
  }
  std::string got;
  for (int i = 0; i < 7 && got.empty(); ++i) {
    got = connection.pass(Milliseconds(10'000));
    connection.stream.feed("x");
  }
  CHECK(got.starts_with("HTTP/1.1 408 Request Timeout\r\n"));
  CHECK(connection.service.failure == Errc::timeout_body);
}

TEST_CASE("h1_connection: a client that stops reading is cut off") {
  Connection connection;
  connection.stream.limit_writes(30'000);
  CHECK(connection.send(get("/much")).size() > 29'000);
  connection.stream.limit_writes(10'000);
  connection.pass(Milliseconds(50'000));
  connection.pass(Milliseconds(50'000));
  CHECK(!connection.finished);  // it had made progress
  connection.pass(Milliseconds(20'000));
  CHECK(connection.service.failure == Errc::timeout_write);
  CHECK(connection.finished);
  CHECK(!connection.stream.write_ended);
}

// --- responses -----------------------------------------------------------------------------------

TEST_CASE("h1_connection: sending waits for the client to read") {
  Connection connection;
  connection.stream.limit_writes(1'000);
  std::string got = connection.send(get("/much"));
  CHECK(connection.service.log.empty());  // the first piece is not through
  connection.stream.limit_writes(60'000);
  got += connection.turn();
  CHECK(connection.service.log == "p");
  connection.stream.limit_writes(SIZE_MAX);
  got += connection.turn();
  CHECK(got == "HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n" + std::string(100'000, 'x'));
}

TEST_CASE("h1_connection: a flush sends what is there, the end sends the trailers") {
  Connection connection;
  CHECK(connection.send(get("/events")) ==
        "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
        "3\r\none\r\n");
  connection.service.gate.signal();
  CHECK(connection.turn() == "3\r\ntwo\r\n0\r\nX-Sum: 2\r\n\r\n");
  CHECK(connection.send(get("/hello")) == hello);
}

TEST_CASE("h1_connection: informational responses leave at once, but not to HTTP/1.0") {
  Connection connection;
  CHECK(connection.send(get("/hint")) == "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n");
  connection.service.gate.signal();
  CHECK(connection.turn() == hello);

  Connection old;
  old.service.gate.signal();
  CHECK(old.send("GET /hint HTTP/1.0\r\n\r\n") == hello_close);
}

TEST_CASE("h1_connection: a handler that says nothing is a 500") {
  Connection connection;
  CHECK(connection.send(get("/nothing")).starts_with("HTTP/1.1 500 Internal Server Error\r\n"));
  CHECK(connection.send(get("/hello")) == hello);
}

TEST_CASE("h1_connection: a body shorter than announced is seen to be cut") {
  Connection connection;
  CHECK(connection.send(get("/little")) == "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort");
  CHECK(connection.service.failure == Errc::internal);
  CHECK(connection.finished);
  CHECK(!connection.stream.write_ended);
}

TEST_CASE("h1_connection: a body longer than announced is cut to it and not trusted further") {
  Connection connection;
  CHECK(connection.send(get("/toomuch")) == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nto");
  CHECK(connection.finished);
}

TEST_CASE("h1_connection: a reset exchange ends without its last chunk") {
  Connection connection;
  CHECK(connection.send(get("/break") + get("/hello")) ==
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n");
  CHECK(connection.finished);
  CHECK(!connection.stream.write_ended);
}

TEST_CASE("h1_connection: tells a handler when the client has gone") {
  Connection connection;
  connection.send(get("/wait"));
  connection.stream.break_off();
  connection.service.gate.signal();
  connection.turn();
  CHECK(connection.service.log == "gone;/wait 200 5 0;");
  CHECK(connection.service.failure == Errc::connection_reset);
  CHECK(connection.finished);
}

// --- refused requests
// ------------------------------------------------------------------------------

TEST_CASE("h1_connection: says what is wrong with a request, then closes") {
  struct Case {
    std::string bytes;
    std::string_view status;
    std::string_view detail;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\n\r\n", "400 Bad Request", "Bad Request: Host is missing\n"},
      {"GET / HTTP/3.0\r\n\r\n", "505 HTTP Version Not Supported", "only HTTP/1.0 and HTTP/1.1\n"},
      {get("/" + std::string(9'000, 'a')), "414 URI Too Long", "the request line is too long\n"},
      {get("/", "X: " + std::string(20'000, 'a')), "431 Request Header Fields Too Large",
       "too many header fields, or too large\n"},
      {post("/", "Transfer-Encoding: gzip\r\n"), "501 Not Implemented", "is not clear\n"},
      {post("/", "Expect: magic\r\n"), "417 Expectation Failed", "100-continue\n"},
  };
  for (const Case& one : cases) {
    CAPTURE(one.status);
    Connection connection;
    const std::string got = connection.send(one.bytes + get("/hello"));
    CHECK(got.starts_with("HTTP/1.1 " + std::string(one.status) + "\r\n"));
    CHECK(got.find("\r\nConnection: close\r\n") != std::string::npos);
    CHECK(got.ends_with(one.detail));
    CHECK(connection.stream.write_ended);
    CHECK(!connection.finished);  // it waits for the client to have read the answer
    connection.stream.end();
    connection.turn();
    CHECK(connection.finished);
    CHECK(connection.service.log.empty());
  }
}

TEST_CASE("h1_connection: lingering ends by time and by amount") {
  Connection late;
  late.send("GET / HTTP/1.1\r\n\r\n");
  late.pass(Milliseconds(2'200));
  CHECK(late.finished);

  Connection loud;
  loud.send("GET / HTTP/1.1\r\n\r\n");
  for (int i = 0; i < 40 && !loud.finished; ++i) loud.send(std::string(50'000, 'x'));
  CHECK(loud.finished);
}

TEST_CASE("h1_connection: a client that goes away before a request is let go") {
  Connection connection;
  connection.stream.end();
  CHECK(connection.turn().empty());
  CHECK(connection.finished);

  Connection half;
  half.send("GET / HTTP/1.1\r\nHo");
  half.stream.end();
  CHECK(half.turn().empty());
  CHECK(half.finished);
}

// --- upgrades
// --------------------------------------------------------------------------------------

TEST_CASE("h1_connection: hands the stream over after 101, with the bytes that came early") {
  Connection connection;
  connection.service.session = std::make_unique<FakeSession>();
  const std::string got =
      connection.send(get("/switch", "Connection: Upgrade\r\nUpgrade: test\r\n") + "early");
  CHECK(got == "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: test\r\n\r\n");
  CHECK(connection.finished);
  CHECK(connection.session != nullptr);
  CHECK(connection.input.readable() == "early");
  CHECK(!connection.stream.write_ended);
  CHECK(connection.timers.armed_count() == 0);
}

TEST_CASE("h1_connection: an unread body is never handed over as the new protocol") {
  Connection connection;
  connection.service.session = std::make_unique<FakeSession>();
  connection.send(post("/switch", "Connection: Upgrade\r\nContent-Length: 5\r\n", "hello"));
  CHECK(connection.finished);
  CHECK(connection.session == nullptr);
}
