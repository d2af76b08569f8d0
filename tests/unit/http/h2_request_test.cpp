#include "http/h2_request.hpp"

#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::http;

namespace {

using Fields = std::vector<std::pair<std::string, std::string>>;

struct Read {
  Arena arena;
  Request request{arena};
  H2RequestReader reader{request, arena};
  ConnectionInfo connection;
  H2HeadCheck check;

  explicit Read(const Fields& fields, bool body_follows = false) {
    connection.tls = true;
    for (const auto& [name, value] : fields) {
      const auto admission = reader.admit(name.size(), value.size());
      if (admission == H2RequestReader::Admission::keep) {
        reader.add(arena.copy(name), arena.copy(value));
      }
    }
    check = reader.finish(connection, body_follows);
  }
  bool good() const { return !check.malformed && check.refusal_status == 0; }
};

Fields get(const std::string& path, const Fields& more = {}) {
  Fields fields{{":method", "GET"},
                {":scheme", "https"},
                {":authority", "Example.com:8443"},
                {":path", path}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

Fields without_authority(const Fields& more) {
  Fields fields{{":method", "GET"}, {":scheme", "https"}, {":path", "/"}};
  fields.insert(fields.end(), more.begin(), more.end());
  return fields;
}

int refusal(const Fields& fields) {
  const Read read(fields);
  return read.check.malformed ? -1 : read.check.refusal_status;
}

}  // namespace

TEST_CASE("h2_request: fills the request") {
  const Read read(get("/a%20b/../c?d=e", {{"user-agent", "test"}}));
  REQUIRE(read.good());
  CHECK(read.request.version == Version::http_2);
  CHECK(read.request.method == Method::get);
  CHECK(read.request.scheme == "https");
  CHECK(read.request.authority == "Example.com:8443");
  CHECK(read.request.host == "example.com");
  CHECK(read.request.target == "/c?d=e");
  CHECK(read.request.original_target == "/a%20b/../c?d=e");
  CHECK(read.request.path == "/c");
  CHECK(read.request.query == "d=e");
  CHECK(read.request.body == BodyKind::none);
  CHECK(read.request.headers.value(FieldId::host) == "Example.com:8443");
  CHECK(read.request.headers.value(FieldId::user_agent) == "test");
}

TEST_CASE("h2_request: authority and host must agree, one of them is enough") {
  CHECK(Read(get("/", {{"host", "example.com:8443"}})).good());
  CHECK(refusal(get("/", {{"host", "other.com"}})) == -1);
  const Read read(without_authority({{"host", "example.org"}}));
  REQUIRE(read.good());
  CHECK(read.request.authority == "example.org");
  CHECK(read.request.headers.size() == 1);
  CHECK(refusal(without_authority({})) == 400);
}

TEST_CASE("h2_request: refuses a host or target that is malformed with 400") {
  CHECK(refusal(without_authority({{"host", "user@example.com"}})) == 400);
  CHECK(refusal(get("/%zz")) == 400);
  CHECK(refusal(get("/../..")) == 400);
  CHECK(refusal(get("/a%00b")) == 400);
  CHECK(refusal(get("http://example.com/")) == 400);
  CHECK(refusal(get("/" + std::string(9'000, 'a'))) == 414);
}

TEST_CASE("h2_request: the target * is for OPTIONS") {
  CHECK(refusal(get("*")) == -1);
  Fields options = get("*");
  options[0].second = "OPTIONS";
  CHECK(Read(options).good());
}

TEST_CASE("h2_request: the scheme is the connection's") {
  Fields plain = get("/");
  plain[1].second = "http";
  CHECK(refusal(plain) == -1);
  plain[1].second = "HTTPS";
  CHECK(refusal(plain) == 0);
}

TEST_CASE("h2_request: connection-specific fields are malformed") {
  for (const char* name :
       {"connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"}) {
    CHECK(refusal(get("/", {{name, "x"}})) == -1);
  }
  CHECK(refusal(get("/", {{"te", "trailers"}})) == 0);
  CHECK(refusal(get("/", {{"te", "gzip"}})) == -1);
  CHECK(refusal(get("/", {{":new", "1"}})) == -1);
}

TEST_CASE("h2_request: says how the body ends") {
  CHECK(Read(get("/"), true).request.body == BodyKind::chunked);
  const Read with_length(get("/", {{"content-length", "12"}}), true);
  CHECK(with_length.request.body == BodyKind::length);
  CHECK(with_length.request.content_length == 12);
  CHECK(Read(get("/", {{"content-length", "0"}})).good());
  for (const char* bad : {"", "+5", "5 ", "0x5", "9223372036854775808", "5,5"}) {
    CHECK(Read(get("/", {{"content-length", bad}}), true).check.malformed);
  }
  CHECK(Read(get("/", {{"content-length", "5"}}), false).check.malformed);
}

TEST_CASE("h2_request: knows the expectation of 100-continue only") {
  CHECK(Read(get("/", {{"expect", "100-Continue"}}), true).request.expects_continue);
  CHECK(!Read(get("/", {{"expect", "100-continue"}}), false).request.expects_continue);
  CHECK(refusal(get("/", {{"expect", "teapot"}})) == 417);
}

TEST_CASE("h2_request: joins cookie crumbs") {
  const Read read(get("/", {{"cookie", "a=1"}, {"x", "y"}, {"cookie", "b=2"}, {"cookie", ""}}));
  REQUIRE(read.good());
  CHECK(read.request.headers.value(FieldId::cookie) == "a=1; b=2; ");
  CHECK(read.request.headers.size() == 3);
  CHECK(Read(get("/", {{"cookie", "a=1; b=2"}})).request.headers.value(FieldId::cookie) ==
        "a=1; b=2");
}

TEST_CASE("h2_request: bounds the number of fields, cookie crumbs counted") {
  Fields fields = get("/");
  while (fields.size() < fields_max) fields.emplace_back("cookie", "a=b");
  CHECK(refusal(fields) == 0);
  fields.emplace_back("cookie", "a=b");
  CHECK(refusal(fields) == 431);
}

TEST_CASE("h2_request: bounds the decoded bytes") {
  CHECK(refusal(get("/", {{"x", std::string(16'000, 'a')}})) == 0);
  CHECK(refusal(get("/", {{"x", std::string(16'384, 'a')}})) == 431);
}

TEST_CASE("h2_request: a head that is too large by far is a flood") {
  Arena arena;
  Request request(arena);
  H2RequestReader reader(request, arena);
  std::size_t fields = 0;
  while (reader.admit(1, 0) != H2RequestReader::Admission::flood) ++fields;
  CHECK(fields == 8 * fields_max);
}

TEST_CASE("h2_request: CONNECT is for WebSocket only") {
  Fields connect{{":method", "CONNECT"}, {":authority", "example.com:443"}};
  CHECK(refusal(connect) == 405);
  Fields extended = get("/app");
  extended[0].second = "CONNECT";
  extended.emplace_back(":protocol", "websocket");
  const Read read(extended, true);
  REQUIRE(read.good());
  CHECK(read.request.is_websocket_upgrade());
  CHECK(read.request.body == BodyKind::none);
  extended.back().second = "connect-udp";
  CHECK(refusal(extended) == 501);
  CHECK(refusal(get("/", {{":protocol", "websocket"}})) == -1);
}

TEST_CASE("h2_request: trailers that decide anything are dropped") {
  Read read(get("/"), true);
  read.reader.add_trailer("x-checksum", "1");
  read.reader.add_trailer("content-length", "5");
  read.reader.add_trailer("host", "other");
  CHECK(read.request.trailers.size() == 1);
}
