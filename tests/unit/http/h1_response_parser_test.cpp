#include "http/h1_response_parser.hpp"

#include <string>

#include <doctest/doctest.h>

#include "cuts.hpp"

using namespace portero;
using namespace portero::http;

namespace {

struct Parsed {
  explicit Parsed(Method method = Method::get) : parser(method) {}

  Arena arena;
  Response response{arena};
  H1ResponseParser parser;
  Errc verdict = Errc::would_block;
  std::string rest;

  void feed(const std::vector<std::string_view>& pieces) {
    Buffer in;
    for (const std::string_view piece : pieces) {
      in.append(piece);
      if (verdict != Errc::would_block) continue;
      const Result<HeadState> state = parser.next(in, response, arena);
      if (!state) verdict = state.error().code;
      if (state && *state == HeadState::complete) verdict = Errc::ok;
    }
    rest = in.readable();
  }
};

Errc verdict_of(std::string_view bytes) {
  Parsed whole;
  whole.feed({bytes});
  for_each_cut(bytes, [&whole](const std::vector<std::string_view>& pieces) {
    Parsed cut;
    cut.feed(pieces);
    if (cut.verdict != whole.verdict) FAIL("the verdict depends on the cut");
  });
  return whole.verdict;
}

std::string ok(std::string_view fields) {
  return "HTTP/1.1 200 OK\r\n" + std::string(fields) + "\r\n";
}

}  // namespace

TEST_CASE("h1_response_parser: fills status, fields and framing, however they are cut") {
  const std::string_view head =
      "HTTP/1.1 404 Not \xc3\xa9 Found\r\nContent-Length: 3\r\nSet-Cookie: a\r\n"
      "set-cookie: b\r\n\r\nabc";
  for_each_cut(head, [](const std::vector<std::string_view>& pieces) {
    Parsed parsed;
    parsed.feed(pieces);
    REQUIRE(parsed.verdict == Errc::ok);
    REQUIRE(parsed.rest == "abc");
    REQUIRE(parsed.response.status == 404);
    REQUIRE(parsed.parser.reason() == "Not \xc3\xa9 Found");
    REQUIRE(parsed.response.headers.size() == 3);
    REQUIRE(parsed.response.body == BodyKind::length);
    REQUIRE(parsed.response.content_length == 3);
    REQUIRE(parsed.parser.framing() == BodyFraming{BodyKind::length, 3});
    REQUIRE(parsed.parser.keep_alive());
    REQUIRE(parsed.parser.started());
  });
}

TEST_CASE("h1_response_parser: decides what follows the head") {
  struct Case {
    std::string head;
    Method method;
    BodyFraming framing;
    BodyKind announced;
    bool keep_alive;
  };
  const BodyFraming none{};
  const BodyFraming until_close{BodyKind::until_close, 0};
  const BodyFraming chunked{BodyKind::chunked, 0};
  const Case cases[] = {
      {ok("Content-Length: 0\r\n"), Method::get, {BodyKind::length, 0}, BodyKind::length, true},
      {ok("Transfer-Encoding: chunked\r\n"), Method::get, chunked, BodyKind::chunked, true},
      {ok(""), Method::get, until_close, BodyKind::chunked, false},
      {ok("Content-Length: 9\r\n"), Method::head, none, BodyKind::length, true},
      {ok("Transfer-Encoding: chunked\r\n"), Method::head, none, BodyKind::chunked, true},
      {ok(""), Method::head, none, BodyKind::none, true},
      {ok("Content-Length: 5\r\nContent-Length: 5\r\n"),
       Method::get,
       {BodyKind::length, 5},
       BodyKind::length,
       true},
      {ok("Content-Length: 5\r\nConnection: close\r\n"),
       Method::get,
       {BodyKind::length, 5},
       BodyKind::length,
       false},
      {"HTTP/1.1 204 No Content\r\nContent-Length: 5\r\n\r\n", Method::get, none, BodyKind::none,
       true},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", Method::get, none,
       BodyKind::length, true},
      {"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n", Method::get, none, BodyKind::none, true},
      {"HTTP/1.1 200\r\nContent-Length: 1\r\n\r\n",
       Method::get,
       {BodyKind::length, 1},
       BodyKind::length,
       true},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n",
       Method::get,
       {BodyKind::length, 1},
       BodyKind::length,
       false},
      {"HTTP/1.0 200 OK\r\nContent-Length: 1\r\nConnection: keep-alive\r\n\r\n",
       Method::get,
       {BodyKind::length, 1},
       BodyKind::length,
       true},
  };
  for (const Case& one : cases) {
    CAPTURE(one.head);
    Parsed parsed(one.method);
    parsed.feed({one.head});
    REQUIRE(parsed.verdict == Errc::ok);
    CHECK(parsed.parser.framing() == one.framing);
    CHECK(parsed.response.body == one.announced);
    CHECK(parsed.parser.keep_alive() == one.keep_alive);
  }
}

TEST_CASE("h1_response_parser: refuses what is malformed or ambiguous, however it is cut") {
  const std::string bad[] = {
      "HTTP/1.1 200 OK\nContent-Length: 0\n\n",
      "HTTP/1.1  200 OK\r\n\r\n",
      "HTTP/1.1 20 OK\r\n\r\n",
      "HTTP/1.1 2000 OK\r\n\r\n",
      "HTTP/1.1 099 Low\r\n\r\n",
      "HTTP/1.1 600 High\r\n\r\n",
      "HTTP/1.1 2x0 OK\r\n\r\n",
      "HTTP/2.0 200 OK\r\n\r\n",
      "http/1.1 200 OK\r\n\r\n",
      "ICY 200 OK\r\n\r\n",
      "HTTP/1.1\r\n\r\n",
      "\r\n",
      "<html>\r\n\r\n",
      ok("X : y\r\n"),
      ok(": y\r\n"),
      ok("X: y\r\n folded\r\n"),
      ok("X\r\n"),
      ok(std::string_view("X: a\0b\r\n", 8)),
      ok("X: a\rb\r\n"),
      ok("Content-Length: 5\r\nContent-Length: 6\r\n"),
      ok("Content-Length: 5, 6\r\n"),
      ok("Content-Length: +5\r\n"),
      ok("Content-Length:\r\n"),
      ok("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"),
      ok("Transfer-Encoding: gzip, chunked\r\n"),
      ok("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
      "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
  };
  for (const std::string& head : bad) {
    CAPTURE(head);
    CHECK(verdict_of(head) == Errc::bad_upstream_response);
  }
}

TEST_CASE("h1_response_parser: bounds the head") {
  Parsed wide;
  wide.feed({"HTTP/1.1 200 OK\r\nX: " + std::string(response_header_bytes_max, 'x')});
  CHECK(wide.verdict == Errc::bad_upstream_response);
  Parsed fits;
  const std::string large =
      ok("Content-Length: 0\r\nX: " + std::string(response_header_bytes_max - 100, 'x') + "\r\n");
  fits.feed({large});
  CHECK(fits.verdict == Errc::ok);
  std::string fields;
  for (std::size_t i = 0; i <= fields_max; ++i) fields += "X: y\r\n";
  Parsed many;
  many.feed({ok(fields)});
  CHECK(many.verdict == Errc::bad_upstream_response);
}

TEST_CASE("h1_response_parser: reads the final head after informational ones") {
  Arena arena;
  Response response(arena);
  H1ResponseParser parser(Method::get);
  Buffer in;
  in.append("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n");
  in.append(ok("Content-Length: 2\r\n") + "ab");
  REQUIRE(parser.next(in, response, arena).value() == HeadState::complete);
  CHECK(response.status == 100);
  REQUIRE(parser.next(in, response, arena).value() == HeadState::complete);
  CHECK(response.status == 103);
  CHECK(response.headers.size() == 1);
  REQUIRE(parser.next(in, response, arena).value() == HeadState::complete);
  CHECK(response.status == 200);
  CHECK(response.headers.size() == 1);
  CHECK(in.readable() == "ab");
}
