#include "base/regexp.hpp"

#include <string>

#include <doctest/doctest.h>

using portero::Regexp;

TEST_CASE("regexp: finds the first match and its groups") {
  const Regexp regexp("(\\d+)-(x)?(\\w+)");
  REQUIRE(regexp.error().empty());
  Regexp::Groups groups;
  REQUIRE(regexp.search("a 12-bc 34-d", groups));
  CHECK(groups[0] == "12-bc");
  CHECK(groups[1] == "12");
  CHECK(groups[2].empty());
  CHECK(groups[3] == "bc");
  CHECK(groups[9].empty());
  CHECK_FALSE(regexp.search("none", groups));
}

TEST_CASE("regexp: a pattern that is none says why and matches nothing") {
  for (const char* const pattern : {"(", "a{2,1}", "[z-a]", "(?=look)", "\\1"}) {
    CAPTURE(pattern);
    const Regexp regexp(pattern);
    CHECK_FALSE(regexp.error().empty());
    Regexp::Groups groups;
    CHECK_FALSE(regexp.search("aa", groups));
    CHECK(regexp.replace_all("aa", "b") == "aa");
  }
}

TEST_CASE("regexp: replaces every match, groups and dollars included") {
  struct Row {
    const char* pattern;
    const char* subject;
    const char* to;
    const char* result;
  };
  const Row rows[] = {
      {"b", "abcb", "x", "axcx"},
      {"b", "abcb", "", "ac"},
      {"(a)(b)", "abab", "$2$1", "baba"},
      {"a", "a", "$0$0", "aa"},
      {"a", "a", "$$1", "$1"},
      {"a", "a", "$", "$"},
      {"a", "a", "$x", "$x"},
      {"x*", "ab", "-", "-a-b-"},
      {"^http:", "http:http:", "s", "shttp:"},
      {"a$", "aa", "b", "ab"},
  };
  for (const Row& row : rows) {
    CAPTURE(row.pattern);
    CHECK(Regexp(row.pattern).replace_all(row.subject, row.to) == row.result);
  }
}
