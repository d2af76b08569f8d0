#include "proxy/matchers.hpp"

#include <string>

#include <doctest/doctest.h>

#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;

TEST_CASE("matchers: a star stands for any bytes, everything else for itself") {
  struct Row {
    const char* pattern;
    const char* subject;
    bool matches;
  };
  const Row rows[] = {
      {"/up", "/up", true},
      {"/up", "/up/", false},
      {"/up", "/UP", false},
      {"/api/*", "/api/", true},
      {"/api/*", "/api/x/y", true},
      {"/api/*", "/api", false},
      {"/api*", "/api", true},
      {"*", "", true},
      {"*", "/anything", true},
      {"*.php", "/a/b.php", true},
      {"*.php", "/a/b.php/x", false},
      {"/a*b*c", "/abc", true},
      {"/a*b*c", "/aXbYc", true},
      {"/a*b*c", "/acb", false},
      {"a*a", "a", false},
      {"a*a", "aa", true},
      {"*a*", "bab", true},
      {"*a*", "bbb", false},
      {"**", "x", true},
      {"a**b", "ab", true},
      {"*ab*ab*", "ab", false},
      {"*ab*ab*", "abab", true},
      {"/a?", "/ab", false},
      {"/[a]", "/a", false},
      {"/ü*", "/üx", true},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CAPTURE(row.subject);
    CHECK(Pattern(row.pattern).matches(row.subject) == row.matches);
  }
}

TEST_CASE("matchers: a hostile subject costs no more than its length allows") {
  const std::string subject(60'000, 'a');
  std::string pattern;
  for (int i = 0; i < 50; ++i) pattern += "*a";
  pattern += "*b";
  CHECK_FALSE(Pattern(pattern).matches(subject));
}

TEST_CASE("matchers: all parts must hold, any entry of a part is enough") {
  conf::Match match;
  match.path = {"/a/*", "/b"};
  match.method = {"GET", "PUT"};
  match.host = {"*.Example.com"};
  const Matcher matcher(match);
  const auto holds = [&](const char* method, const char* target, const char* host) {
    FakeExchange exchange(method, target, host);
    return matcher.matches(exchange);
  };
  CHECK(holds("GET", "/a/x", "www.example.com"));
  CHECK(holds("PUT", "/b", "WWW.example.com"));
  CHECK_FALSE(holds("POST", "/b", "www.example.com"));
  CHECK_FALSE(holds("GET", "/c", "www.example.com"));
  CHECK_FALSE(holds("GET", "/b", "example.org"));
}

TEST_CASE("matchers: paths are compared decoded, with dots resolved") {
  conf::Match match;
  match.path = {"/admin/*"};
  const Matcher matcher(match);
  for (const char* target : {"/%61dmin/", "/x/../admin/y", "/x/%2e%2e/admin/y", "/admin%2Fy"}) {
    CAPTURE(target);
    FakeExchange exchange("GET", target, "a");
    CHECK(matcher.matches(exchange));
  }
  FakeExchange twice("GET", "/%2561dmin/", "a");
  CHECK_FALSE(matcher.matches(twice));
}

TEST_CASE("matchers: headers, query parameters and cookies") {
  FakeExchange exchange("GET", "/?page=2&q=a%20b+c&empty", "a");
  exchange.request.headers.add("X-Kind", "big");
  exchange.request.headers.add("x-kind", "blue");
  exchange.request.headers.add("Cookie", "theme=dark; id=7");
  const auto holds = [&](auto member, std::string name, std::vector<std::string> values) {
    conf::Match match;
    (match.*member).push_back({std::move(name), std::move(values)});
    return Matcher(match).matches(exchange);
  };
  CHECK(holds(&conf::Match::header, "X-KIND", {"blue"}));
  CHECK(holds(&conf::Match::header, "X-Kind", {"no", "b*"}));
  CHECK(holds(&conf::Match::header, "X-Kind", {""}));
  CHECK(holds(&conf::Match::header, "X-Kind", {}));
  CHECK_FALSE(holds(&conf::Match::header, "X-Kind", {"Big"}));
  CHECK_FALSE(holds(&conf::Match::header, "X-Other", {""}));
  CHECK(holds(&conf::Match::query, "page", {"1", "2"}));
  CHECK(holds(&conf::Match::query, "q", {"a b c"}));
  CHECK(holds(&conf::Match::query, "empty", {""}));
  CHECK_FALSE(holds(&conf::Match::query, "missing", {""}));
  CHECK(holds(&conf::Match::cookie, "theme", {"dark"}));
  CHECK(holds(&conf::Match::cookie, "id", {"*"}));
  CHECK_FALSE(holds(&conf::Match::cookie, "Theme", {"dark"}));
}

TEST_CASE("matchers: protocols, networks and not") {
  FakeExchange exchange("GET", "/", "a");
  exchange.request.client_ip = *IpAddress::parse("10.1.2.3");
  conf::Match match;
  match.protocol = {"https"};
  CHECK_FALSE(Matcher(match).matches(exchange));
  match.protocol = {"https", "http"};
  CHECK(Matcher(match).matches(exchange));
  match.protocol = {"websocket"};
  CHECK_FALSE(Matcher(match).matches(exchange));
  exchange.request.headers.add("Connection", "Upgrade");
  exchange.request.headers.add("Upgrade", "WebSocket");
  CHECK(Matcher(match).matches(exchange));

  match = {};
  match.client_ip = {"192.0.2.0/24", "10.0.0.0/8"};
  CHECK(Matcher(match).matches(exchange));
  auto inner = std::make_shared<conf::Match>();
  inner->client_ip = {"10.1.0.0/16"};
  match.not_ = inner;
  CHECK_FALSE(Matcher(match).matches(exchange));
  exchange.request.client_ip = *IpAddress::parse("10.2.0.1");
  CHECK(Matcher(match).matches(exchange));
}

TEST_CASE("matchers: says which part does not hold") {
  FakeExchange exchange("GET", "/x", "a");
  conf::Match match;
  CHECK(Matcher(match).explain(exchange).empty());
  match.path = {"/api/*", "/v2/*"};
  CHECK(Matcher(match).explain(exchange) == "path /api/*, /v2/* ✗");
  match.path = {"/x"};
  match.header = {{"X-Kind", {"big"}}};
  CHECK(Matcher(match).explain(exchange) == "header X-Kind: big ✗");
  match.header.clear();
  auto inner = std::make_shared<conf::Match>();
  inner->path = {"*"};
  inner->method = {"GET"};
  match.not_ = inner;
  CHECK(Matcher(match).explain(exchange) == "not path *, method GET ✗");
}

TEST_CASE("matchers: the groups of path_regexp stay only when the whole matches") {
  FakeExchange exchange("GET", "/users/7", "a");
  conf::Match match;
  match.path_regexp = {"^/users/(\\d+)$"};
  match.not_ = std::make_shared<const conf::Match>();
  CHECK_FALSE(Matcher(match).matches(exchange));  // an empty `not` holds for everything
  CHECK(exchange.request.groups.empty());
  match.not_.reset();
  REQUIRE(Matcher(match).matches(exchange));
  REQUIRE(exchange.request.groups.size() > 1);
  CHECK(exchange.request.groups[1] == "7");
}
