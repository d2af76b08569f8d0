#include "hub/api_query.hpp"

#include <string>

#include <doctest/doctest.h>

using portero::Arena;
using namespace portero::hub;

namespace {

// "a=1&b=2" with the parameters in their order, "!" when refused.
std::string parsed(std::string_view text) {
  Arena arena;
  const std::optional<ApiQuery> query = ApiQuery::parse(text, arena);
  if (!query) return "!";
  std::string joined;
  for (const QueryParameter& parameter : query->all()) {
    if (!joined.empty()) joined += '&';
    joined.append(parameter.name).append(1, '=').append(parameter.value);
  }
  return joined;
}

}  // namespace

TEST_CASE("api_query: sorts by name and lower-cases names, not values") {
  CHECK(parsed("") == "");
  CHECK(parsed("b=2&a=1") == "a=1&b=2");
  CHECK(parsed("Auth_Key=ABC&INFO=x") == "auth_key=ABC&info=x");
  CHECK(parsed("b_1=x&b=y&b0=z") == "b=y&b0=z&b_1=x");
}

TEST_CASE("api_query: decodes once") {
  CHECK(parsed("p=presence%2Droom%40x") == "p=presence-room@x");
  CHECK(parsed("p=%2525") == "p=%25");
  CHECK(parsed("p=a+b") == "p=a b");
  CHECK(parsed("p=a%2Bb") == "p=a+b");
  CHECK(parsed("p=a=b%3Dc") == "p=a=b=c");
  CHECK(parsed("%70%41=1") == "pa=1");
}

TEST_CASE("api_query: joins the values of an array by commas") {
  CHECK(parsed("info[]=a&info[]=b") == "info=a,b");
  CHECK(parsed("info%5B0%5D=a&x=1&info%5B1%5D=b") == "info=a,b&x=1");
  CHECK(parsed("info=b&info=a") == "info=b,a");
}

TEST_CASE("api_query: takes parameters without a value and skips empty ones") {
  CHECK(parsed("a&b=&&c=3&") == "a=&b=&c=3");
  CHECK(parsed("=x") == "=x");
}

TEST_CASE("api_query: refuses what could be read in two ways") {
  for (const char* text : {"a=%", "a=%4", "a=%g0", "a=%0", "%zz=1", "a=%00", "a=%0A", "a=%0d%0a",
                           "a=1%26b=2", "a%26b=1", "a=%7F"}) {
    CAPTURE(text);
    CHECK(parsed(text) == "!");
  }
}

TEST_CASE("api_query: takes 32 parameters and no more") {
  std::string text = "a";
  for (std::size_t i = 1; i < query_parameters_max; ++i) text += "&a";
  CHECK(parsed(text) != "!");
  CHECK(parsed(text + "&a") == "!");
}

TEST_CASE("api_query: finds parameters by name") {
  Arena arena;
  const std::optional<ApiQuery> query = ApiQuery::parse("x=1&y", arena);
  REQUIRE(query);
  CHECK(query->value("x") == "1");
  CHECK(query->find("y") == "");
  CHECK_FALSE(query->find("z"));
  CHECK(query->value("z") == "");
}
