#include "conf/problem.hpp"

#include <doctest/doctest.h>

namespace portero::conf {

TEST_CASE("problem: a message names place, key, expectation and suggestion above the line") {
  Problem problem{{"portero.yaml", 7, 5},
                  "sites.api.example.com.proxi",
                  "unknown key",
                  "one of hub, proxy",
                  "proxy",
                  "    proxi: nginx:80"};
  CHECK(format_problem(problem) ==
        "portero.yaml:7:5: sites.api.example.com.proxi: unknown key; expected one of hub, proxy; "
        "did you mean \"proxy\"?\n"
        "    7 |     proxi: nginx:80\n"
        "      |     ^");
}

TEST_CASE("problem: parts that are missing leave no trace") {
  CHECK(format_problem({{"f", 0, 0}, "", "no such file", "", "", ""}) == "f: no such file");
  CHECK(format_problem({{"f", 1, 2}, "", "bad", "", "", ""}) == "f:1:2: bad");
  CHECK(format_problem({{"", 0, 0}, "", "bad", "", "", ""}) == "bad");
}

TEST_CASE("problem: the caret stands below its character behind tabs and letters of many bytes") {
  CHECK(format_problem({{"f", 1, 3}, "", "bad", "", "", "\t\tx"}) ==
        "f:1:3: bad\n    1 | \t\tx\n      | \t\t^");
  CHECK(format_problem({{"f", 1, 4}, "", "bad", "", "", "üax"}) ==
        "f:1:4: bad\n    1 | üax\n      |   ^");
  CHECK(format_problem({{"f", 1, 9}, "", "bad", "", "", "ab"}) ==
        "f:1:9: bad\n    1 | ab\n      |   ^");
}

TEST_CASE("problem: the list is ordered by file, line and column and tells nothing twice") {
  Problems problems;
  problems.add_file("b", "one\ntwo\r\n");
  problems.add_file("a", "eins\n");
  problems.error({{"a", 1, 1}, "x", "first of a", "", "", ""});
  problems.error({{"b", 2, 3}, "x", "later", "", "", ""});
  problems.error({{"b", 2, 1}, "x", "same", "", "", ""});
  problems.error({{"b", 2, 1}, "y", "same", "", "", ""});
  problems.error({{"b", 0, 0}, "", "file", "", "", ""});
  problems.error({{"unknown", 1, 1}, "", "last", "", "", ""});
  const std::vector<Problem> list = problems.take_errors();
  REQUIRE(list.size() == 5);
  CHECK(list[0].message == "file");
  CHECK(list[1].message == "same");
  CHECK(list[1].source_line == "two");
  CHECK(list[2].message == "later");
  CHECK(list[3].message == "first of a");
  CHECK(list[4].message == "last");
}

TEST_CASE("problem: the line of a secret is not shown") {
  Problems problems;
  problems.add_file("f", "one: {key: same, secret: geheim}\n");
  problems.error({{"f", 1, 1}, "", "bad", "", "", ""});
  CHECK(problems.take_errors()[0].source_line.empty());
}

TEST_CASE("problem: a key path is printed with dots and indexes") {
  const KeyPath root;
  CHECK(root.text() == "");
  const KeyPath sites = root.key("sites");
  const KeyPath site = sites.key("a.test");
  const KeyPath routes = site.key("routes");
  const KeyPath item = routes.item(0);
  CHECK(item.text() == "sites.a.test.routes[0]");
  CHECK(item.key("to").text() == "sites.a.test.routes[0].to");
}

}  // namespace portero::conf
