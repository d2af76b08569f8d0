#include "proxy/cgi_head.hpp"

#include <string>

#include <doctest/doctest.h>

#include "unit/http/cuts.hpp"

using namespace portero;
using namespace portero::proxy;

namespace {

struct Parsed {
  Arena arena;
  http::Response response{arena};
  CgiHeadParser head;
  std::string text;  // "200 Name=value ... | body", or what is wrong
};

void parse(const std::vector<std::string_view>& pieces, Parsed& parsed) {
  std::string body;
  for (const std::string_view piece : pieces) {
    if (parsed.head.complete()) {
      body += piece;
      continue;
    }
    const Result<std::optional<std::size_t>> taken =
        parsed.head.take(piece, parsed.response, parsed.arena);
    if (!taken) {
      parsed.text = std::string(parsed.head.detail());
      return;
    }
    if (*taken) body += piece.substr(**taken);
  }
  if (!parsed.head.complete()) {
    parsed.text = "incomplete";
    return;
  }
  parsed.text = std::to_string(parsed.response.status);
  for (const http::Field& field : parsed.response.headers) {
    parsed.text += " " + std::string(field.name) + "=" + std::string(field.value);
  }
  parsed.text += " | " + body;
}

std::string parsed(std::string_view text) {
  Parsed result;
  parse({text}, result);
  return result.text;
}

}  // namespace

TEST_CASE("cgi_head: a head reads the same however it is cut, and the body begins behind it") {
  const std::string_view text =
      "Status: 201 Created\r\nX-Powered-By: PHP/8.2\r\nContent-type: text/html\r\n\r\n<p>\r\n\r\n";
  for_each_cut(text, [](const std::vector<std::string_view>& pieces) {
    Parsed result;
    parse(pieces, result);
    CHECK(result.text == "201 X-Powered-By=PHP/8.2 Content-type=text/html | <p>\r\n\r\n");
  });
}

TEST_CASE("cgi_head: lines may end with LF alone, and there may be no fields at all") {
  CHECK(parsed("A: b\nC:d\n\nbody") == "200 A=b C=d | body");
  CHECK(parsed("\r\nbody") == "200 | body");
  CHECK(parsed("\nbody") == "200 | body");
  CHECK(parsed("A: b\r\n") == "incomplete");
}

TEST_CASE("cgi_head: Location without a status is a redirect, with one it is what it says") {
  CHECK(parsed("Location: /x\n\n") == "302 Location=/x | ");
  CHECK(parsed("Location: /x\nStatus: 201\n\n") == "201 Location=/x | ");
  CHECK(parsed("Status: 301 Moved\nLocation: /x\n\n") == "301 Location=/x | ");
}

TEST_CASE("cgi_head: what belongs to the connection or to this server stays behind") {
  CHECK(parsed("Connection: close\nTransfer-Encoding: chunked\nKeep-Alive: 1\nServer: x\n"
               "Upgrade: h2c\nSet-Cookie: a=1\nSet-Cookie: b=2\n\n") ==
        "200 Set-Cookie=a=1 Set-Cookie=b=2 | ");
}

TEST_CASE("cgi_head: what a script says to this server is taken and not passed on") {
  Parsed result;
  parse({"X-Accel-Buffering: no\nX-Sendfile: /srv/a b\nContent-Length: 12\nX: y\n\n"}, result);
  CHECK(result.text == "200 X=y | ");
  CHECK(result.head.wants_no_buffering());
  CHECK(result.head.file() == "/srv/a b");
  CHECK(result.head.content_length() == 12);
  Parsed other;
  parse({"X-Accel-Redirect: /files/x\n\n"}, other);
  CHECK(other.head.file() == "/files/x");
  CHECK_FALSE(other.head.wants_no_buffering());
  CHECK_FALSE(other.head.content_length());
}

TEST_CASE("cgi_head: a head that is none is refused with a reason") {
  CHECK(parsed("<html>\n\n") == "a line of its header is not \"Name: value\"");
  CHECK(parsed("Bad Name: x\n\n") == "a line of its header is not \"Name: value\"");
  CHECK(parsed(": x\n\n") == "a line of its header is not \"Name: value\"");
  CHECK(parsed(" folded\n\n") == "a line of its header is not \"Name: value\"");
  CHECK(parsed(std::string_view("A: x\0y\n\n", 8)) == "a header field holds a control byte");
  CHECK(parsed("A: x\ry\n\n") == "a header field holds a control byte");
  CHECK(parsed("Status: 99\n\n") == "its Status is not a number from 200 to 599");
  CHECK(parsed("Status: 103 Early\n\n") == "its Status is not a number from 200 to 599");
  CHECK(parsed("Status: 2000\n\n") == "its Status is not a number from 200 to 599");
  CHECK(parsed("Status: ok\n\n") == "its Status is not a number from 200 to 599");
  CHECK(parsed("Content-Length: +5\n\n") == "its Content-Length is not one number");
  CHECK(parsed("Content-Length: 5\nContent-Length: 6\n\n") ==
        "its Content-Length is not one number");
}

TEST_CASE("cgi_head: size and number of fields are bounded") {
  const std::string value(cgi_head_bytes_max - 8, 'x');
  CHECK(parsed("A: " + value + "\n\n").starts_with("200 A=x"));
  CHECK(parsed("A: " + value + "xxxxx\n\n") == "its header fields are larger than 64 KiB");
  CHECK(parsed(std::string(cgi_head_bytes_max + 1, 'x')) ==
        "its header fields are larger than 64 KiB");
  std::string many;
  for (std::size_t i = 0; i < http::fields_max; ++i) many += "A: b\n";
  CHECK(parsed(many + "\n").starts_with("200 A=b"));
  CHECK(parsed(many + "A: b\n\n") == "it has over 100 header fields");
}
