#include "proxy/path_steps.hpp"

#include <string>

#include <doctest/doctest.h>

#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;

namespace {

// "target path" afterwards, or "refused".
std::string after(const RequestStep& step, std::string_view target) {
  FakeExchange exchange("GET", target, "a");
  const int refused = step.apply(exchange);
  if (refused != 0) return "refused " + std::to_string(refused);
  const http::Request& request = exchange.request;
  CHECK((request.original_target.empty() || request.original_target == target));
  return std::string(request.target) + " " + std::string(request.path);
}

}  // namespace

TEST_CASE("path_steps: strip_prefix takes off whole segments") {
  const StripPrefix step("/api/");
  CHECK(after(step, "/api/x?q=1") == "/x?q=1 /x");
  CHECK(after(step, "/api") == "/ /");
  CHECK(after(step, "/api?q") == "/?q /");
  CHECK(after(step, "/api/") == "/ /");
  CHECK(after(step, "/apix") == "/apix /apix");
  CHECK(after(step, "/other/api/x") == "/other/api/x /other/api/x");
  CHECK(after(StripPrefix("/"), "/api") == "/api /api");
}

TEST_CASE("path_steps: strip_prefix keeps the client's encoding where it means the same") {
  const StripPrefix step("/api");
  CHECK(after(step, "/api/a%2Fb%20c") == "/a%2Fb%20c /a/b c");
  CHECK(after(step, "/%61pi/a%20b") == "/a%20b /a b");
  CHECK(after(step, "/x/../api/y") == "/y /y");
  CHECK(after(step, "/api/../api/y") == "/y /y");
  CHECK(after(step, "/api/x/../y?z") == "/y?z /y");
}

TEST_CASE("path_steps: rewrite sets the path, and the query when it has one") {
  CHECK(after(Rewrite("/new{path}"), "/a%20b?q=1") == "/new/a%20b?q=1 /new/a b");
  CHECK(after(Rewrite("/index.php?p={path}&{query}"), "/a?q=1") ==
        "/index.php?p=/a&q=1 /index.php");
  CHECK(after(Rewrite("/index.php?{query}"), "/a") == "/index.php /index.php");
  CHECK(after(Rewrite("{query.to}"), "/?to=x%2Fy") == "/x%2Fy?to=x%2Fy /x/y");
  CHECK(after(Rewrite("/f/{query.to}"), "/?to=..%2F..%2F..%2Fetc") == "refused 400");
}
