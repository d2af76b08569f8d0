#include "base/placeholders.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace portero;

TEST_CASE("placeholders: every one has a text, and is found by its name") {
  CHECK(placeholders().size() >= 12);
  for (const Placeholder& placeholder : placeholders()) {
    CAPTURE(placeholder.name);
    CHECK(!placeholder.doc.empty());
    const std::string name = std::string(placeholder.name) + (placeholder.takes_name() ? "X" : "");
    CHECK(find_placeholder(name) == &placeholder);
  }
}

TEST_CASE("placeholders: a name that is none is not known") {
  for (const char* const name : {"", "pth", "path ", "path.x", "header", "header.", "Header.X"}) {
    CAPTURE(name);
    CHECK(find_placeholder(name) == nullptr);
  }
}

TEST_CASE("placeholders: names are found between braces, other braces are text") {
  using Names = std::vector<std::string_view>;
  CHECK(find_placeholders("{path} {header.X-Y} {\"a\": 1} {} {") == Names{"path", "header.X-Y"});
  CHECK(find_placeholders("/{pth}{a b}{{host}}") == Names{"pth", "host"});
  std::string_view text = "a{uri}b";
  const PlaceholderCut first = cut_placeholder(text);
  CHECK(first.literal == "a");
  CHECK(first.name == "uri");
  const PlaceholderCut rest = cut_placeholder(text);
  CHECK(rest.literal == "b");
  CHECK(rest.name.empty());
  CHECK(text.empty());
}
