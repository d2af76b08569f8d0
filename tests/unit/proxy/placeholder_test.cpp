#include "proxy/placeholder.hpp"

#include <string>

#include <doctest/doctest.h>

#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;

namespace {

std::string expand(std::string_view text, FakeExchange& exchange, Place place = Place::text) {
  const Template made(text);
  return std::string(made.expand(exchange, place));
}

}  // namespace

TEST_CASE("placeholder: fills in what the request says") {
  FakeExchange exchange("POST", "/a%20b/../c%C3%A9?x=1%2B1&y", "Shop.Example:8443");
  exchange.request.headers.add("User-Agent", "curl");
  exchange.request.headers.add("Cookie", "a=1; theme=dark");
  struct Row {
    const char* text;
    const char* expected;
  };
  const Row rows[] = {
      {"", ""},
      {"plain", "plain"},
      {"{path}", "/cé"},
      {"{uri}", "/a%20b/../c%C3%A9?x=1%2B1&y"},
      {"{query}", "x=1%2B1&y"},
      {"{host}", "shop.example"},
      {"{hostport}", "Shop.Example:8443"},
      {"{method}", "POST"},
      {"{scheme}", "http"},
      {"{client_ip}", "203.0.113.9"},
      {"{query.x}", "1+1"},
      {"{query.y}", ""},
      {"{query.z}", ""},
      {"{header.user-agent}", "curl"},
      {"{header.Missing}", ""},
      {"{cookie.theme}", "dark"},
      {"<{method}{method}>", "<POSTPOST>"},
      {"{unknown} {} { {path", "{unknown} {} { {path"},
      {"{\"json\": \"{method}\"}", "{\"json\": \"POST\"}"},
      {"{{method}}", "{POST}"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.text);
    CHECK(expand(row.text, exchange) == row.expected);
  }
}

TEST_CASE("placeholder: a request keeps its id, another gets another") {
  FakeExchange first("GET", "/", "a");
  FakeExchange second("GET", "/", "a");
  const std::string id = expand("{request_id}", first);
  CHECK(id.size() == 16);
  CHECK(id.find_first_not_of("0123456789abcdef") == std::string::npos);
  CHECK(expand("{request_id}", first) == id);
  CHECK(expand("{request_id}", second) != id);
}

TEST_CASE("placeholder: no value brings a line break into a field") {
  FakeExchange exchange("GET", "/?a=x%0d%0aSet-Cookie:%20evil%00", "a");
  CHECK(expand("v={query.a}", exchange, Place::field) == "v=xSet-Cookie: evil");
}

TEST_CASE("placeholder: values are encoded for the URL they become part of") {
  FakeExchange exchange("GET", "/a%20b/%3Fc%23%25?q=%2F%2F&r=a%26b", "a.example");
  CHECK(expand("https://x{uri}", exchange, Place::url) ==
        "https://x/a%20b/%3Fc%23%25?q=%2F%2F&r=a%26b");
  CHECK(expand("/n{path}", exchange, Place::url) == "/n/a%20b/%3Fc%23%25");
  CHECK(expand("/n?q={query.q}&r={query.r}", exchange, Place::url) == "/n?q=%2F%2F&r=a%26b");
  CHECK(expand("//{host}/?{query}", exchange, Place::url) == "//a.example/?q=%2F%2F&r=a%26b");
}

TEST_CASE("placeholder: values are no markup in a page") {
  FakeExchange exchange("GET", "/?a=%3Cb%20c%3D%22d%22%20e%3D%27f%27%3E%26", "a");
  CHECK(expand("<p>{query.a}</p>", exchange, Place::html) ==
        "<p>&lt;b c=&quot;d&quot; e=&#39;f&#39;&gt;&amp;</p>");
}

TEST_CASE("placeholder: long values grow the text in one pass") {
  const std::string value(5'000, 'v');
  FakeExchange exchange("GET", "/", "a");
  exchange.request.headers.add("X-Long", value);
  CHECK(expand("{header.X-Long}-{header.X-Long}", exchange) == value + "-" + value);
}

TEST_CASE("placeholder: a text without any is given back as it is") {
  FakeExchange exchange("GET", "/", "a");
  const Template made("plain");
  CHECK(made.is_constant());
  CHECK(made.expand(exchange, Place::field).data() == made.expand(exchange, Place::url).data());
}
