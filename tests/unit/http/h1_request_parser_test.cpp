#include "http/h1_request_parser.hpp"

#include <string>

#include <doctest/doctest.h>

#include "cuts.hpp"

using namespace portero;
using namespace portero::http;

namespace {

struct Parsed {
  Arena arena;
  Request request{arena};
  Errc error = Errc::ok;
  HeadState state = HeadState::need_more;
  std::string rest;
  std::string detail;
};

void parse(const std::vector<std::string_view>& pieces, Parsed& parsed) {
  H1RequestParser parser;
  Buffer in;
  for (const std::string_view piece : pieces) {
    in.append(piece);
    if (parsed.state == HeadState::complete || parsed.error != Errc::ok) continue;
    const Result<HeadState> state = parser.next(in, parsed.request, parsed.arena);
    parsed.error = state ? Errc::ok : state.error().code;
    if (state) parsed.state = *state;
  }
  parsed.rest = in.readable();
  parsed.detail = parser.detail();
}

Errc verdict(const std::vector<std::string_view>& pieces) {
  Parsed parsed;
  parse(pieces, parsed);
  if (parsed.error == Errc::ok && parsed.state == HeadState::need_more) return Errc::would_block;
  return parsed.error;
}

// The verdict on `bytes`, which must be the same however they are cut.
Errc verdict_of(std::string_view bytes) {
  const Errc whole = verdict({bytes});
  for_each_cut(bytes, [whole](const std::vector<std::string_view>& pieces) {
    if (verdict(pieces) != whole) FAIL("the verdict depends on the cut");
  });
  return whole;
}

std::string get(std::string_view target, std::string_view fields = "") {
  return "GET " + std::string(target) + " HTTP/1.1\r\nHost: a.test\r\n" + std::string(fields) +
         "\r\n";
}

std::string post(std::string_view fields) {
  return "POST / HTTP/1.1\r\nHost: a.test\r\n" + std::string(fields) + "\r\n";
}

}  // namespace

TEST_CASE("h1_request_parser: fills every part of a plain request") {
  const std::string head =
      "POST /a%20b/c?x=%31&y HTTP/1.1\r\nHost: Example.COM:8443\r\nContent-Length: 5\r\n"
      "X-Empty:\r\nX-Spaces: \t a b \t \r\nExpect: 100-continue\r\n\r\nhello";
  for_each_cut(head, [](const std::vector<std::string_view>& pieces) {
    Parsed parsed;
    parse(pieces, parsed);
    const Request& request = parsed.request;
    REQUIRE(parsed.error == Errc::ok);
    REQUIRE(parsed.state == HeadState::complete);
    REQUIRE(parsed.rest == "hello");
    REQUIRE(request.method == Method::post);
    REQUIRE(request.method_text == "POST");
    REQUIRE(request.version == Version::http_1_1);
    REQUIRE(request.target == "/a%20b/c?x=%31&y");
    REQUIRE(request.path == "/a b/c");
    REQUIRE(request.raw_path == "/a%20b/c");
    REQUIRE(request.query == "x=%31&y");
    REQUIRE(request.authority == "Example.COM:8443");
    REQUIRE(request.host == "example.com");
    REQUIRE(request.body == BodyKind::length);
    REQUIRE(request.content_length == 5);
    REQUIRE(request.expects_continue);
    REQUIRE(request.headers.size() == 5);
    REQUIRE(request.headers.find("x-empty")->value.empty());
    REQUIRE(request.headers.find("X-SPACES")->value == "a b");
  });
}

TEST_CASE("h1_request_parser: views do not depend on the buffer") {
  Arena arena;
  Request request(arena);
  H1RequestParser parser;
  {
    Buffer in;
    in.append(get("/path", "X: y\r\n"));
    REQUIRE(parser.next(in, request, arena).value() == HeadState::complete);
  }
  CHECK(request.path == "/path");
  CHECK(request.headers.find("x")->value == "y");
}

TEST_CASE("h1_request_parser: takes one head at a time from a pipeline") {
  Buffer in;
  in.append(get("/1") + get("/2") + "GET /3");
  for (const std::string_view path : {"/1", "/2"}) {
    Arena arena;
    Request request(arena);
    H1RequestParser parser;
    REQUIRE(parser.next(in, request, arena).value() == HeadState::complete);
    CHECK(request.path == path);
  }
  CHECK(in.readable() == "GET /3");
}

TEST_CASE("h1_request_parser: accepts what is unusual but allowed") {
  const std::string_view good[] = {
      "GET / HTTP/1.1\r\nhost:a.test\r\n\r\n",
      "\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n",  // one empty line before
      "GET / HTTP/1.0\r\n\r\n",                      // no Host in HTTP/1.0
      "GET / HTTP/1.0\r\nHost:\r\n\r\n",
      "GET / HTTP/1.2\r\nHost: a.test\r\n\r\n",  // a later minor version is read as 1.1
      "GET http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "GET HTTPS://a.test/x HTTP/1.1\r\nHost: other.test\r\n\r\n",
      "OPTIONS * HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "CONNECT a.test:443 HTTP/1.1\r\nHost: a.test:443\r\n\r\n",
      "M-SEARCH / HTTP/1.1\r\nHost: a.test\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: [::1]:8080\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a_b.test.\r\n\r\n",
      "GET /{a}|b\\c?\"<>^` HTTP/1.1\r\nHost: a.test\r\n\r\n",  // browsers send these as they are
      "GET / HTTP/1.1\r\nHost: a.test\r\nX: \xff\xfe\x80\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.test\r\nX: a\tb\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 0\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.test\r\nContent-Length: 9223372036854775807\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding: Chunked\r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.test\r\nTransfer-Encoding:\tchunked \r\n\r\n",
      "GET / HTTP/1.1\r\nHost: a.test\r\nConnection: Transfer-Encoding, close\r\n\r\n",
      "GET / HTTP/1.0\r\nHost: a.test\r\nExpect: something\r\n\r\n",
  };
  for (const std::string_view head : good) {
    CAPTURE(head);
    CHECK(verdict_of(head) == Errc::ok);
  }
}

TEST_CASE("h1_request_parser: refuses what is malformed, however it is cut") {
  struct Case {
    std::string head;
    Errc error;
  };
  const Case cases[] = {
      // Line ends and control bytes.
      {"GET / HTTP/1.1\nHost: a.test\n\n", Errc::bad_request},
      {"GET / HTTP/1.1\r\nHost: a.test\n\r\n", Errc::bad_request},
      {"GET / HTTP/1.1\r\nHost: a.test\r\n\n", Errc::bad_request},
      {"GET / HTTP/1.1\rHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET / HTTP/1.1\r\nHost: a.test\r\rX: y\r\n\r\n", Errc::bad_request},
      {get("/", "X: a\rb\r\n"), Errc::bad_request},
      {get("/", "X: a\nb\r\n"), Errc::bad_request},
      {get("/", std::string_view("X: a\0b\r\n", 8)), Errc::bad_request},
      {get("/", "X: a\x01\r\n"), Errc::bad_request},
      {get("/", "X: a\x7f\r\n"), Errc::bad_request},
      {get("/", "X: a\x0b\r\n"), Errc::bad_request},
      {"\r\n\r\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"\nGET / HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {" GET / HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"\x16\x03\x01\x02", Errc::bad_request},  // TLS on a plain port
      // Request line.
      {"GET / HTTP/1.1 \r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET  / HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET /  HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET /a b HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET\t/ HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET /\tHTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET /\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET / HTTP/1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET / HTTP/1.10\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET / HTTP/11\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET / http/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET / HTTP/a.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET / ICAP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"GET / HTTP/2.0\r\nHost: a.test\r\n\r\n", Errc::version_not_supported},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Errc::version_not_supported},
      {"GET / HTTP/0.9\r\nHost: a.test\r\n\r\n", Errc::version_not_supported},
      {"G(T / HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"G\xc3\xa9T / HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {std::string(33, 'M') + " / HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      // Target.
      {get("/a\x01"), Errc::bad_request},
      {get("/\xc3\xa9"), Errc::bad_request},
      {get("/?\xc3\xa9"), Errc::bad_request},
      {get("/a#b"), Errc::bad_request},
      {get("/?a#b"), Errc::bad_request},
      {get("a"), Errc::bad_request},
      {get("*"), Errc::bad_request},
      {get("a.test:443"), Errc::bad_request},
      {get("ftp://a.test/"), Errc::bad_request},
      {get("http:/a"), Errc::bad_request},
      {get("http://"), Errc::bad_request},
      {get("http:///path"), Errc::bad_host},
      {get("http://user@a.test/"), Errc::bad_host},
      {get("http://a.test:99999/"), Errc::bad_host},
      {get("http://a.test#x"), Errc::bad_request},
      {get("/%00"), Errc::bad_request},
      {get("/a%0d%0ab"), Errc::bad_request},
      {get("/%7f"), Errc::bad_request},
      {get("/%zz"), Errc::bad_request},
      {get("/%2"), Errc::bad_request},
      {get("/.."), Errc::bad_request},
      {get("/a/../../b"), Errc::bad_request},
      {get("/%2e%2e/"), Errc::bad_request},
      {get("/..%2f"), Errc::bad_request},
      {"CONNECT /x HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"CONNECT a.test HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"CONNECT a.test: HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_request},
      {"CONNECT http://a.test:80 HTTP/1.1\r\nHost: a.test\r\n\r\n", Errc::bad_host},
      // Field lines.
      {get("/", "X : y\r\n"), Errc::bad_request},
      {get("/", "X\t: y\r\n"), Errc::bad_request},
      {get("/", " X: y\r\n"), Errc::bad_request},
      {get("/", "X: y\r\n folded\r\n"), Errc::bad_request},
      {get("/", "X: y\r\n\tfolded\r\n"), Errc::bad_request},
      {get("/", "X: y\r\n \r\n"), Errc::bad_request},
      {get("/", ": y\r\n"), Errc::bad_request},
      {get("/", "X\r\n"), Errc::bad_request},
      {get("/", "X Y: z\r\n"), Errc::bad_request},
      {get("/", "X(: y\r\n"), Errc::bad_request},
      {get("/", "X\xff: y\r\n"), Errc::bad_request},
      {"GET / HTTP/1.1\r\n Host: a.test\r\n\r\n", Errc::bad_request},
      // Host.
      {"GET / HTTP/1.1\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost:\r\n\r\n", Errc::bad_host},
      {get("/", "Host: a.test\r\n"), Errc::bad_host},
      {get("/", "host: b.test\r\n"), Errc::bad_host},
      {"GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n", Errc::bad_host},
      {"GET http://a.test/ HTTP/1.1\r\n\r\n", Errc::bad_host},
      {"GET http://a.test/ HTTP/1.1\r\nHost: a b\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: a,b\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: a.test:80a\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: :80\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: a:b:c\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: [::1\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: [::1]x\r\n\r\n", Errc::bad_host},
      {"GET / HTTP/1.1\r\nHost: \xc3\xa9.test\r\n\r\n", Errc::bad_host},
      // Body framing.
      {post("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding: chunked\r\nContent-Length: 5\r\n"), Errc::bad_framing},
      {post("Content-Length: 5\r\nContent-Length: 6\r\n"), Errc::bad_framing},
      {post("Content-Length: 5\r\nContent-Length: 5\r\n"), Errc::bad_framing},
      {post("Content-Length: 5, 5\r\n"), Errc::bad_framing},
      {post("Content-Length: +5\r\n"), Errc::bad_framing},
      {post("Content-Length: -5\r\n"), Errc::bad_framing},
      {post("Content-Length: 0x5\r\n"), Errc::bad_framing},
      {post("Content-Length: 5a\r\n"), Errc::bad_framing},
      {post("Content-Length: 5 5\r\n"), Errc::bad_framing},
      {post("Content-Length:\r\n"), Errc::bad_framing},
      {post("Content-Length: 9223372036854775808\r\n"), Errc::bad_framing},
      {post("Content-Length: 00000000000000000000005\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding: chunked, chunked\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding:\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding: \"chunked\"\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding: chunked;q=1\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding: chunked x\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding: ,chunked\r\n"), Errc::bad_framing},
      {post("Transfer-Encoding: xchunked\r\n"), Errc::not_implemented},
      {post("Transfer-Encoding: gzip, chunked\r\n"), Errc::not_implemented},
      {post("Transfer-Encoding: chunked, identity\r\n"), Errc::not_implemented},
      {post("Transfer-Encoding: identity\r\n"), Errc::not_implemented},
      {"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n", Errc::bad_framing},
      {post("Transfer-Encoding: chunked\x0b\r\n"), Errc::bad_request},
      {post("Transfer-Encoding:\r\n chunked\r\n"), Errc::bad_request},
      {post("Transfer-Encoding : chunked\r\n"), Errc::bad_request},
      {get("/", "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), Errc::bad_framing},
      // Expectations.
      {post("Expect: 200-ok\r\nContent-Length: 1\r\n"), Errc::expectation_failed},
      {post("Expect: 100-continue, x\r\nContent-Length: 1\r\n"), Errc::expectation_failed},
      {post("Expect: 100-\r\n continue\r\nContent-Length: 1\r\n"), Errc::bad_request},
  };
  for (const Case& one : cases) {
    CAPTURE(one.head);
    CHECK(error_info(verdict_of(one.head)).name == error_info(one.error).name);
  }
}

TEST_CASE("h1_request_parser: says what was wrong") {
  Parsed parsed;
  parse({"GET / HTTP/1.1\r\n\r\n"}, parsed);
  CHECK(parsed.detail == "Host is missing");
}

TEST_CASE("h1_request_parser: needs the whole head") {
  const std::string head = get("/a?b", "X: y\r\n");
  for (std::size_t bytes = 0; bytes < head.size(); ++bytes) {
    REQUIRE(verdict({std::string_view(head).substr(0, bytes)}) == Errc::would_block);
  }
}

TEST_CASE("h1_request_parser: bounds the target, the fields and the whole head") {
  CHECK(verdict({get("/" + std::string(target_bytes_max - 1, 'a'))}) == Errc::ok);
  CHECK(verdict({get("/" + std::string(target_bytes_max, 'a'))}) == Errc::uri_too_long);
  CHECK(verdict({"GET /" + std::string(request_line_bytes_max, 'a')}) == Errc::uri_too_long);

  std::string fields;
  for (std::size_t i = 1; i < fields_max; ++i) fields += "X: y\r\n";
  CHECK(verdict({get("/", fields)}) == Errc::ok);
  CHECK(verdict({get("/", fields + "X: y\r\n")}) == Errc::header_too_large);

  const std::size_t others = get("/", "X: \r\n").size();
  const std::string value(header_bytes_max - others, 'v');
  CHECK(verdict({get("/", "X: " + value + "\r\n")}) == Errc::ok);
  CHECK(verdict({get("/", "X: v" + value + "\r\n")}) == Errc::header_too_large);
  CHECK(verdict({"GET / HTTP/1.1\r\nX: " + std::string(header_bytes_max, 'v')}) ==
        Errc::header_too_large);
}

TEST_CASE("h1_request_parser: limits do not depend on how the bytes come") {
  const std::string heads[] = {
      get("/" + std::string(target_bytes_max, 'a')),
      "GET /" + std::string(request_line_bytes_max - 10, 'a') + " HTTP/1.1\r\n\r\n",
      "GET /" + std::string(request_line_bytes_max, 'a') + "\x01",
      get("/", "X: " + std::string(header_bytes_max - 60, 'v') + "\r\nY: \x01\r\n"),
      get("/", "X: " + std::string(header_bytes_max, 'v')),
  };
  for (const std::string& head : heads) {
    std::vector<std::string_view> bytes;
    for (std::size_t i = 0; i < head.size(); ++i) {
      bytes.push_back(std::string_view(head).substr(i, 1));
    }
    const Errc whole = verdict({head});
    CHECK(whole != Errc::ok);
    CHECK(verdict(bytes) == whole);
  }
}

TEST_CASE("h1_request_parser: an absolute target decides the host and replaces the field") {
  Parsed parsed;
  parse({"GET http://Site.test:81?a=b HTTP/1.1\r\nHost: other.test\r\nX: y\r\n\r\n"}, parsed);
  REQUIRE(parsed.state == HeadState::complete);
  CHECK(parsed.request.host == "site.test");
  CHECK(parsed.request.authority == "Site.test:81");
  CHECK(parsed.request.headers.find(FieldId::host)->value == "Site.test:81");
  CHECK(parsed.request.target == "/?a=b");
  CHECK(parsed.request.path == "/");
  CHECK(parsed.request.query == "a=b");

  Parsed options;
  parse({"OPTIONS http://a.test HTTP/1.1\r\nHost: a.test\r\n\r\n"}, options);
  REQUIRE(options.state == HeadState::complete);
  CHECK(options.request.target == "*");
}

TEST_CASE("h1_request_parser: CONNECT names its host in the target") {
  Parsed parsed;
  parse({"CONNECT a.test:443 HTTP/1.1\r\nHost: b.test\r\n\r\n"}, parsed);
  REQUIRE(parsed.state == HeadState::complete);
  CHECK(parsed.request.method == Method::connect);
  CHECK(parsed.request.authority == "a.test:443");
  CHECK(parsed.request.host == "a.test");
  CHECK(parsed.request.target == "*");
}

TEST_CASE("h1_request_parser: keep-alive follows version and Connection") {
  struct Case {
    std::string_view head;
    bool keep_alive;
  };
  const Case cases[] = {
      {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade, close\r\n\r\n", false},
      {"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false},
      {"GET / HTTP/1.0\r\n\r\n", false},
      {"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
      {"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
  };
  for (const Case& one : cases) {
    Parsed parsed;
    parse({one.head}, parsed);
    CAPTURE(one.head);
    REQUIRE(parsed.state == HeadState::complete);
    CHECK(wants_keep_alive(parsed.request) == one.keep_alive);
  }
}
