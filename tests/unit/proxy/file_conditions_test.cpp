#include "proxy/file_conditions.hpp"

#include <string>

#include <doctest/doctest.h>

#include "http/date.hpp"
#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;

namespace {

constexpr std::int64_t modified_s = 784'111'777;  // the date below
constexpr const char* date = "Sun, 06 Nov 1994 08:49:37 GMT";
constexpr const char* earlier = "Sun, 06 Nov 1994 08:49:36 GMT";

struct Given {
  const char* name;
  const char* value;
};

// The status, and the range where it counts.
std::string check(std::initializer_list<Given> fields, std::string_view method = "GET") {
  test::FakeExchange exchange(method, "/", "a.example");
  for (const Given& field : fields) exchange.request.headers.add(field.name, field.value);
  const FileConditions conditions(exchange.request, {"\"v1\"", modified_s});
  std::string text = std::to_string(conditions.status);
  if (!conditions.range.empty()) text += " " + std::string(conditions.range);
  return text;
}

}  // namespace

TEST_CASE("file_conditions: If-None-Match is 304 for the same tag, weak or not, and wins") {
  CHECK(check({}) == "200");
  CHECK(check({{"If-None-Match", "\"v1\""}}) == "304");
  CHECK(check({{"if-none-match", "\"v0\", W/\"v1\""}}) == "304");
  CHECK(check({{"If-None-Match", "*"}}) == "304");
  CHECK(check({{"If-None-Match", "\"v2\""}, {"If-Modified-Since", date}}) == "200");
  CHECK(check({{"If-None-Match", "\"a,\"v1\""}}) == "200");
  CHECK(check({{"If-None-Match", "v1"}}) == "200");
}

TEST_CASE("file_conditions: If-Modified-Since is 304 for the same date or a later one") {
  CHECK(check({{"If-Modified-Since", date}}) == "304");
  CHECK(check({{"If-Modified-Since", "Sun, 06 Nov 1994 08:49:38 GMT"}}) == "304");
  CHECK(check({{"If-Modified-Since", earlier}}) == "200");
  CHECK(check({{"If-Modified-Since", "yesterday"}}) == "200");
}

TEST_CASE("file_conditions: If-Match and If-Unmodified-Since are 412 for another version") {
  CHECK(check({{"If-Match", "\"v1\""}}) == "200");
  CHECK(check({{"If-Match", "*"}}) == "200");
  CHECK(check({{"If-Match", "\"v2\""}}) == "412");
  CHECK(check({{"If-Match", "W/\"v1\""}}) == "412");
  CHECK(check({{"If-Unmodified-Since", date}}) == "200");
  CHECK(check({{"If-Unmodified-Since", earlier}}) == "412");
  CHECK(check({{"If-Match", "\"v1\""}, {"If-Unmodified-Since", earlier}}) == "200");
}

TEST_CASE("file_conditions: a range counts for GET, and with If-Range only of this version") {
  CHECK(check({{"Range", "bytes=0-1"}}) == "200 bytes=0-1");
  CHECK(check({{"Range", "bytes=0-1"}}, "HEAD") == "200");
  CHECK(check({{"Range", "bytes=0-1"}, {"If-Range", "\"v1\""}}) == "200 bytes=0-1");
  CHECK(check({{"Range", "bytes=0-1"}, {"If-Range", date}}) == "200 bytes=0-1");
  CHECK(check({{"Range", "bytes=0-1"}, {"If-Range", "\"v2\""}}) == "200");
  CHECK(check({{"Range", "bytes=0-1"}, {"If-Range", "W/\"v1\""}}) == "200");
  CHECK(check({{"Range", "bytes=0-1"}, {"If-Range", earlier}}) == "200");
  CHECK(check({{"Range", "bytes=0-1"}, {"If-None-Match", "\"v1\""}}) == "304");
}

TEST_CASE("date: the three forms, and nothing that is none") {
  CHECK(http::parse_http_date(date) == modified_s);
  CHECK(http::parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT") == modified_s);
  CHECK(http::parse_http_date("Sun Nov  6 08:49:37 1994") == modified_s);
  CHECK(http::parse_http_date("Sun Nov 16 08:49:37 1994") == modified_s + 10 * 86'400);
  for (const char* text : {"", "Sun", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
                           "Sun, 6 Nov 1994", "Sun, 31 Feb 1994 08:49:37 GMT",
                           "Sun, 06 Nov 1994 24:00:00 GMT", "06 Nov 1994 08:49:37 GMT",
                           "Sun, 06 ovD 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:49:37 GMT "}) {
    CAPTURE(text);
    CHECK_FALSE(http::parse_http_date(text).has_value());
  }
}
