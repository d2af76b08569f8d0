#include "http/h1_write.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::http;

namespace {

std::string head_of(const Response& response, const H1ResponseOptions& options) {
  Buffer out;
  encode_response_head(response, options, out);
  return std::string(out.readable());
}

}  // namespace

TEST_CASE("h1_write: a response head has one way to tell where the body ends") {
  Arena arena;
  Response response(arena);
  response.headers.add("Content-Length", "99");
  response.headers.add("Transfer-Encoding", "gzip");
  response.headers.add("Connection", "X-Secret");
  response.headers.add("Keep-Alive", "timeout=5");
  response.headers.add("X-Mine", "a");
  CHECK(head_of(response, {.body = {BodyKind::length, 5}}) ==
        "HTTP/1.1 200 OK\r\nX-Mine: a\r\nContent-Length: 5\r\n\r\n");
  CHECK(head_of(response, {.body = {BodyKind::chunked, 0}, .keep_alive = true}) ==
        "HTTP/1.1 200 OK\r\nX-Mine: a\r\nConnection: keep-alive\r\n"
        "Transfer-Encoding: chunked\r\n\r\n");
  CHECK(head_of(response, {.close = true}) ==
        "HTTP/1.1 200 OK\r\nX-Mine: a\r\nConnection: close\r\n\r\n");
}

TEST_CASE("h1_write: Date and Server are added unless they are there") {
  Arena arena;
  Response response(arena);
  response.status = 404;
  const H1ResponseOptions options{.date = "today", .server = "portero"};
  CHECK(head_of(response, options) ==
        "HTTP/1.1 404 Not Found\r\nDate: today\r\nServer: portero\r\n\r\n");
  response.headers.add("server", "mine");
  response.headers.add("DATE", "then");
  CHECK(head_of(response, options) ==
        "HTTP/1.1 404 Not Found\r\nserver: mine\r\nDATE: then\r\n\r\n");
}

TEST_CASE("h1_write: no field starts a line of its own") {
  Arena arena;
  Response response(arena);
  response.headers.add("X-A", "a\r\nSet-Cookie: b");
  response.headers.add("X-B", std::string_view("a\0b", 3));
  response.headers.add("X\r\nC", "c");
  response.headers.add("", "d");
  response.headers.add("X D", "d");
  response.headers.add("X-E", "e");
  CHECK(head_of(response, {}) == "HTTP/1.1 200 OK\r\nX-E: e\r\n\r\n");
}

TEST_CASE("h1_write: an unknown status has an empty reason") {
  Arena arena;
  Response response(arena);
  response.status = 299;
  CHECK(head_of(response, {}) == "HTTP/1.1 299 \r\n\r\n");
}

TEST_CASE("h1_write: Upgrade of a 426 is named by Connection") {
  Arena arena;
  Response response(arena);
  response.status = 426;
  response.headers.add("Upgrade", "websocket");
  CHECK(head_of(response, {}) ==
        "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n");
  CHECK(
      head_of(response, {.close = true}) ==
      "HTTP/1.1 426 Upgrade Required\r\nUpgrade: websocket\r\nConnection: upgrade, close\r\n\r\n");
}

TEST_CASE("h1_write: a switching head keeps the handler's Connection and has no length") {
  Arena arena;
  Response response(arena);
  response.status = 101;
  response.headers.add("Connection", "Upgrade");
  response.headers.add("Upgrade", "websocket");
  response.headers.add("Content-Length", "0");
  Buffer out;
  encode_switching_head(response, {.body = {BodyKind::length, 0}, .close = true}, out);
  CHECK(out.readable() ==
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

TEST_CASE("h1_write: an informational head is only its fields") {
  Arena arena;
  Response response(arena);
  response.status = 103;
  response.headers.add("Link", "</a.css>; rel=preload");
  response.headers.add("Connection", "close");
  Buffer out;
  encode_interim_head(response, out);
  CHECK(out.readable() == "HTTP/1.1 103 Early Hints\r\nLink: </a.css>; rel=preload\r\n\r\n");
}

TEST_CASE("h1_write: a request head is built from fields and framing") {
  Arena arena;
  HeaderList fields(arena);
  fields.add("Host", "a.test");
  fields.add("Content-Length", "7");
  fields.add("Keep-Alive", "x");
  fields.add("X", "y");
  Buffer out;
  encode_request_head({"POST", "/a?b", fields.all(), {BodyKind::length, 3}}, out);
  CHECK(out.readable() ==
        "POST /a?b HTTP/1.1\r\nHost: a.test\r\nX: y\r\nContent-Length: 3\r\n\r\n");
  out.clear();
  encode_request_head({"GET", "/", fields.all(), {}}, out);
  CHECK(out.readable() == "GET / HTTP/1.1\r\nHost: a.test\r\nX: y\r\n\r\n");
  out.clear();
  encode_request_head({"PUT", "/", fields.all(), {BodyKind::chunked, 0}}, out);
  CHECK(out.readable() ==
        "PUT / HTTP/1.1\r\nHost: a.test\r\nX: y\r\nTransfer-Encoding: chunked\r\n\r\n");
}

TEST_CASE("h1_write: what is written as chunks is read back") {
  Arena arena;
  HeaderList trailers(arena);
  trailers.add("X-Sum", "1");
  trailers.add("Content-Length", "1");  // not allowed in a trailer
  trailers.add("X-Bad", "a\r\nb: c");
  Buffer out;
  std::string sent;
  for (const std::size_t size : {1u, 9u, 10u, 15u, 16u, 255u, 256u, 70'000u}) {
    const std::string piece(size, 'p');
    if (size % 2 == 0) {
      encode_chunk(piece, out);
    } else {
      encode_chunk_line(size, out);
      out.append(piece);
      out.append("\r\n");
    }
    sent += piece;
  }
  encode_last_chunk(trailers.all(), out);

  std::string received;
  HeaderList got(arena);
  H1BodyDecoder decoder({BodyKind::chunked, 0});
  while (!decoder.done()) {
    const Result<BodyPiece> piece = decoder.next(out, got, arena);
    REQUIRE(piece.has_value());
    received += piece->data;
  }
  CHECK(received == sent);
  REQUIRE(got.size() == 1);
  CHECK(got.begin()->name == "X-Sum");
  CHECK(out.empty());
}
