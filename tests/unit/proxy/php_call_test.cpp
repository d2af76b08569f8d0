// One request to a FastCGI responder and its answer: fastcgi_client, php_call and php_handler.
#include "proxy/php_call.hpp"

#include <string>

#include <doctest/doctest.h>

#include "unit/proxy/php_harness.hpp"

using namespace portero;
using namespace portero::proxy;
using namespace portero::proxy::test;

namespace {

const std::string get = "GET /users/7?x=1 HTTP/1.1\r\nHost: a.example\r\n\r\n";
const std::string hello = "Content-Type: text/x\r\n\r\nhello";

std::string post(std::string_view body) {
  return "POST /form HTTP/1.1\r\nHost: a.example\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

bool starts(std::string_view text, std::string_view part) { return text.starts_with(part); }

}  // namespace

TEST_CASE("php_call: a request and its answer, and the connection is used again") {
  PhpRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer php = rig.accept_php();
  for (int i = 0; i < 3; ++i) {
    const FastCgiRequest request = rig.request(php);
    CHECK(request.param("REQUEST_METHOD") == "GET");
    CHECK(request.param("SCRIPT_FILENAME") == (rig.folder() / "index.php").string());
    CHECK(request.param("QUERY_STRING") == "x=1");
    CHECK(request.param("REQUEST_URI") == "/users/7?x=1");
    CHECK(request.param("REMOTE_ADDR") == "203.0.113.9");
    CHECK(request.body.empty());
    php.send(answer_of(hello));
    const std::string answer = rig.answer("hello");
    CHECK(starts(answer, "HTTP/1.1 200 OK\r\n"));
    CHECK(contains(answer, "Content-Length: 5\r\n"));
    CHECK(contains(answer, "Content-Type: text/x\r\n"));
    if (i < 2) rig.client().feed(get);
  }
  CHECK(rig.pool().idle_count() == 1);
}

TEST_CASE("php_call: a body arrives whole, of known length or not, small or large") {
  for (const std::size_t size : {0, 1, 70'000, 400'000}) {
    CAPTURE(size);
    PhpRig rig;
    rig.start();
    const std::string body(size, 'b');
    rig.client().feed(post(body));
    FakePeer php = rig.accept_php();
    FastCgiRequest request = rig.request(php);
    CHECK(request.param("CONTENT_LENGTH") == std::to_string(size));
    CHECK((request.body == body));
    php.send(answer_of(hello));
    rig.answer("hello");
    rig.client().feed(
        "PUT /form HTTP/1.1\r\nHost: a.example\r\nTransfer-Encoding: chunked\r\n\r\n");
    if (size != 0) {
      char line[24];
      std::snprintf(line, sizeof line, "%zx\r\n", size);
      rig.client().feed(line + body + "\r\n");
    }
    rig.client().feed("0\r\n\r\n");
    FakePeer again = php.is_open() ? std::move(php) : rig.accept_php();
    request = rig.request(again);
    CHECK(request.param("CONTENT_LENGTH") == std::to_string(size));
    CHECK((request.body == body));
    again.send(answer_of("Status: 201 Made\r\n\r\n"));
    CHECK(starts(rig.answer("\r\n\r\n"), "HTTP/1.1 201 "));
  }
}

TEST_CASE("php_call: PHP is not asked before a slow client's body is complete") {
  PhpRig rig;
  rig.start();
  rig.client().feed("POST / HTTP/1.1\r\nHost: a.example\r\nContent-Length: 4\r\n\r\nab");
  CHECK(rig.accepts_nothing());
  rig.client().feed("cd");
  FakePeer php = rig.accept_php();
  CHECK(rig.request(php).body == "abcd");
}

TEST_CASE("php_call: an answer in pieces, at any cut, is the same answer") {
  const std::string bytes =
      stdout_of("Status: 404 No\r\nX-A: 1\r\n\r\nbo") + stdout_of("dy") + end_of();
  for (std::size_t cut = 1; cut < bytes.size(); cut += 3) {
    CAPTURE(cut);
    PhpRig rig;
    rig.start();
    rig.client().feed(get);
    FakePeer php = rig.accept_php();
    rig.request(php);
    php.send(bytes.substr(0, cut));
    rig.settle();
    php.send(bytes.substr(cut));
    const std::string answer = rig.answer("body");
    CHECK(starts(answer, "HTTP/1.1 404 "));
    CHECK(contains(answer, "X-A: 1\r\n"));
    CHECK(contains(answer, "Content-Length: 4\r\n"));
  }
}

TEST_CASE("php_call: a client that does not read holds no process, and gets everything later") {
  PhpRig rig;
  rig.start();
  rig.client().limit_writes(1'000);
  rig.client().feed(get);
  FakePeer php = rig.accept_php();
  rig.request(php);
  const std::string body(3'000'000, 'x');
  const std::string bytes = answer_of("\r\n" + body);
  std::size_t sent = 0;
  rig.turn_until([&] {
    sent += php.send_some(std::string_view(bytes).substr(sent));
    return sent == bytes.size() && rig.pool().in_use() == 0;
  });
  CHECK(sent == bytes.size());
  CHECK(rig.pool().in_use() == 0);
  rig.client().limit_writes(SIZE_MAX);
  const std::string answer = rig.answer("0\r\n\r\n");
  CHECK(std::count(answer.begin(), answer.end(), 'x') == 3'000'000);
}

TEST_CASE("php_call: events pass at once, other answers gather") {
  PhpRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer php = rig.accept_php();
  rig.request(php);
  php.send(stdout_of("Content-Type: text/event-stream\r\n\r\ndata: 1\n\n"));
  CHECK(contains(rig.answer("data: 1\n\n\r\n"), "Transfer-Encoding: chunked"));
  php.send(stdout_of("data: 2\n\n"));
  CHECK(contains(rig.answer("data: 2\n\n\r\n"), "data: 2"));
  php.send(end_of());
  CHECK(rig.answer("0\r\n\r\n") == "0\r\n\r\n");
}

TEST_CASE("php_call: what PHP says on stderr goes to the log, line by line, not to the client") {
  PhpRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer php = rig.accept_php();
  rig.request(php);
  php.send(stderr_of("PHP Warning: one\nPHP Warning: two\n") + answer_of(hello));
  const std::string answer = rig.answer("hello");
  CHECK_FALSE(contains(answer, "Warning"));
  CHECK(contains(rig.quiet.lines, "PHP Warning: one"));
  CHECK(contains(rig.quiet.lines, "PHP Warning: two"));
  CHECK(contains(rig.quiet.lines, "request_id"));
}

TEST_CASE("php_call: answers that are none are 502 and say what is wrong") {
  const std::string cases[] = {
      "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",  // a web server listens there
      end_of(),                                        // nothing was said
      stdout_of("no header at all\r\n\r\n") + end_of(),
      stdout_of("Status: 99\r\n\r\n") + end_of(),
      stdout_of("X: " + std::string(70'000, 'x') + "\r\n\r\n") + end_of(),
  };
  for (const std::string& bytes : cases) {
    CAPTURE(bytes.substr(0, 40));
    PhpRig rig;
    rig.start();
    rig.client().feed(get);
    FakePeer php = rig.accept_php();
    rig.request(php);
    php.send(bytes);
    const std::string answer = rig.answer("\n");
    CHECK(starts(answer, "HTTP/1.1 502 "));
    CHECK(contains(answer, "PHP at 127.0.0.1:"));
    CHECK(contains(rig.quiet.lines, "php.failed"));
  }
}

TEST_CASE("php_call: an answer that breaks off is never completed") {
  PhpRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer php = rig.accept_php();
  rig.request(php);
  php.send(stdout_of("Content-Type: text/event-stream\r\n\r\ndata: 1\n\n"));
  rig.answer("data: 1\n\n\r\n");
  php.close();
  CHECK(rig.turn_until([&] { return rig.ended; }));
  CHECK_FALSE(contains(rig.client().written, "0\r\n\r\n"));
}

TEST_CASE("php_call: shorter than its Content-Length breaks off, longer is cut") {
  PhpRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer php = rig.accept_php();
  rig.request(php);
  php.send(answer_of("Content-Length: 3\r\n\r\nhello"));
  CHECK(rig.answer("hel").ends_with("\r\n\r\nhel"));
  rig.client().feed(get);
  rig.request(php);
  php.send(answer_of("Content-Length: 9\r\n\r\nhello"));
  CHECK(rig.turn_until([&] { return rig.ended; }));
}

TEST_CASE("php_call: a script that says nothing for too long is a 504") {
  PhpRig rig;
  rig.route.php->timeouts.response = conf::Duration(50);
  rig.start();
  rig.client().feed(get);
  FakePeer php = rig.accept_php();
  rig.request(php);
  CHECK(starts(rig.answer("\n"), "HTTP/1.1 504 "));
  CHECK(rig.ended_at(php));
}

TEST_CASE("php_call: a client that leaves frees its process") {
  PhpRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer php = rig.accept_php();
  rig.request(php);
  rig.client().break_off();
  CHECK(rig.ended_at(php));
}

TEST_CASE("php_handler: what is no script is served as a file, without PHP") {
  PhpRig rig;
  rig.start();
  rig.client().feed("GET /style.css HTTP/1.1\r\nHost: a.example\r\n\r\n");
  const std::string answer = rig.answer("style.css");
  CHECK(contains(answer, "Content-Type: text/css"));
  CHECK(rig.accepts_nothing());
}

TEST_CASE("php_handler: GET is made again on a new connection, POST only when it cannot have run") {
  PhpRig rig;
  rig.start();
  rig.client().feed(get);
  FakePeer first = rig.accept_php();
  rig.request(first);
  first.close();
  FakePeer second = rig.accept_php();
  rig.request(second);
  second.send(answer_of(hello));
  CHECK(starts(rig.answer("hello"), "HTTP/1.1 200 "));
  rig.client().feed(post("x"));
  FakePeer third = rig.accept_php();  // not the idle one: over TCP nobody can tell
  rig.request(third);
  third.close();
  CHECK(starts(rig.answer("\n"), "HTTP/1.1 502 "));
  CHECK(rig.accepts_nothing());
}

TEST_CASE("php_handler: over a unix socket POST is made again when nobody has read it") {
  PhpRig rig(true);
  rig.start();
  rig.client().feed(post("x=1"));
  FakePeer first = rig.accept_php();
  rig.settle();
  first.close();  // without having read a byte
  FakePeer second = rig.accept_php();
  const FastCgiRequest request = rig.request(second);
  CHECK(request.body == "x=1");
  second.send(answer_of(hello));
  CHECK(starts(rig.answer("hello"), "HTTP/1.1 200 "));
}

TEST_CASE("php_handler: over TCP POST is made again when PHP stops before it has read it") {
  // It stops before, while and after it is connected to.
  for (int turns = 0; turns < 6; ++turns) {
    CAPTURE(turns);
    PhpRig rig;
    rig.start();
    rig.client().feed(post("x=1"));
    for (int i = 0; i < turns; ++i) rig.loop.run_once(0);
    rig.upstream.close();
    rig.turn_until([&] { return rig.pool().line().size() == 1; });
    CHECK(rig.client().written.empty());
    rig.upstream.listen();
    FakePeer php = rig.accept_php();
    CHECK(rig.request(php).body == "x=1");
    php.send(answer_of(hello));
    CHECK(starts(rig.answer("hello"), "HTTP/1.1 200 "));
    rig.settle();
    CHECK(rig.pool().idle_count() == 1);
  }
}

TEST_CASE("php_handler: over TCP POST is not made again when PHP may have been killed") {
  PhpRig rig;
  rig.start();
  rig.client().feed(post("x=1"));
  FakePeer php = rig.accept_php();
  rig.request(php);
  SUBCASE("while it stops: all was read, so the connection ends without a reset") {
    rig.upstream.close();
    php.close();
    CHECK(starts(rig.answer("\n"), "HTTP/1.1 502 "));
    rig.upstream.listen();
    CHECK(rig.accepts_nothing());
  }
  SUBCASE("while it listens") {
    php.reset();
    CHECK(starts(rig.answer("\n"), "HTTP/1.1 502 "));
    FakePeer looked = rig.accept_php();  // whether it is there; nothing more comes
    CHECK(looked.read_available());
    CHECK(looked.received.empty());
  }
}

TEST_CASE("php_handler: over TCP a responder gets the end of a body, be it late") {
  PhpRig rig;
  rig.start();
  rig.client().feed(post("x=1"));
  FakePeer php = rig.accept_php();
  FastCgiRequest request;
  rig.turn_until([&] {
    php.read_available();
    request = decode_request(php.received);
    return request.body_ended;
  });
  CHECK(request.body_ended);
}

TEST_CASE("php_handler: over a unix socket POST is not made again once it was read") {
  PhpRig rig(true);
  rig.start();
  rig.client().feed(post("x=1"));
  FakePeer first = rig.accept_php();
  rig.request(first);
  first.close();
  CHECK(starts(rig.answer("\n"), "HTTP/1.1 502 "));
  CHECK(rig.accepts_nothing());
}

TEST_CASE("upstream_queue: requests wait while PHP refuses, and flow when it is back") {
  PhpRig rig(true);
  rig.start();
  rig.refuse_unix();
  rig.client().feed(post("x"));
  rig.settle();
  CHECK(rig.client().written.empty());
  CHECK(rig.pool().line().size() == 1);
  rig.listen_unix();
  FakePeer php = rig.accept_php();
  CHECK(rig.request(php).body == "x");
  php.send(answer_of(hello));
  CHECK(starts(rig.answer("hello"), "HTTP/1.1 200 "));
  CHECK(rig.pool().line().empty());
}

TEST_CASE("upstream_queue: who has waited long enough is told why") {
  PhpRig rig(true);
  rig.route.php->queue.wait = conf::Duration(150);
  rig.start();
  rig.refuse_unix();
  rig.client().feed(get);
  CHECK(starts(rig.answer("\n"), "HTTP/1.1 502 "));
}

TEST_CASE("upstream_queue: a full queue is a 503 at once") {
  PhpRig rig(true);
  rig.route.php->queue.size = 0;
  rig.start();
  rig.refuse_unix();
  rig.client().feed(get);
  const std::string answer = rig.answer("\n");
  CHECK(starts(answer, "HTTP/1.1 503 "));
  CHECK(contains(answer, "Retry-After: "));
}
