#include "conf/environment.hpp"

#include <doctest/doctest.h>

namespace portero::conf {
namespace {

Variables dotenv(std::string_view text, const Variables& process = {}) {
  Problems problems;
  Variables variables = parse_dotenv(text, ".env", Environment(process), problems);
  CHECK(!problems.has_errors());
  return variables;
}

std::string value(std::string_view text) { return dotenv(text)["A"]; }

std::vector<Problem> faults(std::string_view text) {
  Problems problems;
  parse_dotenv(text, ".env", Environment(Variables{}), problems);
  return problems.take_errors();
}

std::string expand(std::string_view text, const Variables& variables) {
  const Environment environment(variables);
  Expander expander(environment);
  std::string out;
  const auto failure = expander.expand(text, out);
  return failure ? "!" + failure->message : out;
}

}  // namespace

TEST_CASE("dotenv: plain values end at the line or at a comment") {
  CHECK(value("A=b") == "b");
  CHECK(value("A=b\n") == "b");
  CHECK(value("A=b\r\nB=c\r\n") == "b");
  CHECK(value("A = b c \n") == "b c");
  CHECK(value("A=b # comment") == "b");
  CHECK(value("A=b#comment") == "b");
  CHECK(value("A=#comment") == "");
  CHECK(value("A=") == "");
  CHECK(value("export A=b") == "b");
  CHECK(value("  A=b") == "b");
  CHECK(value("\xEF\xBB\xBF"
              "A=b") == "b");
  CHECK(value("A=a=b=c") == "a=b=c");
  CHECK(value("A=base64:Zm9v+/==") == "base64:Zm9v+/==");
}

TEST_CASE("dotenv: double quotes have escapes and may hold several lines") {
  CHECK(value(R"(A="b c")") == "b c");
  CHECK(value(R"(A="b # c" # d)") == "b # c");
  CHECK(value(R"(A="say \"hi\" \\ \$ \n.")") == "say \"hi\" \\ $ \n.");
  CHECK(value(R"(A="\x")") == "\\x");
  CHECK(value("A=\"one\ntwo\"\nB=c") == "one\ntwo");
  CHECK(value("A=\"\"") == "");
}

TEST_CASE("dotenv: single quotes are taken as they are") {
  CHECK(value("A='b \\n ${B} # \"c\"'") == "b \\n ${B} # \"c\"");
  CHECK(value("A='one\ntwo'") == "one\ntwo");
}

TEST_CASE("dotenv: references look into the environment, then above") {
  CHECK(dotenv("B=x\nA=${B}y")["A"] == "xy");
  CHECK(dotenv("B=x\nA=\"${B} ${B}\"")["A"] == "x x");
  CHECK(dotenv("B=x\nA=${B}", {{"B", "real"}})["A"] == "real");
  CHECK(dotenv("A=${NONE}")["A"] == "${NONE}");
  CHECK(dotenv("A=${NONE")["A"] == "${NONE");
  CHECK(dotenv("A=$B")["A"] == "$B");
  CHECK(dotenv("B=x\nA=\"\\${B}\"")["A"] == "${B}");
}

TEST_CASE("dotenv: the last line of a name counts, and a name alone sets nothing") {
  CHECK(value("A=1\nA=2") == "2");
  CHECK(dotenv("A\nB=1").count("A") == 0);
  CHECK(dotenv("# A=1\n\n   \n").empty());
}

TEST_CASE("dotenv: a line that is none is reported with its number and without its text") {
  const std::vector<Problem> problems = faults("A=1\nMY SECRET=2\n=3\nB=\"x\" y\nC=4\nD=\"open");
  REQUIRE(problems.size() == 4);
  CHECK(problems[0].where.line == 2);
  CHECK(problems[1].where.line == 3);
  CHECK(problems[2].where.line == 4);
  CHECK(problems[3].where.line == 6);
  for (const Problem& problem : problems) CHECK(problem.source_line.empty());
}

TEST_CASE("dotenv: values that grow by naming each other are refused") {
  std::string text = "A0=xxxxxxxxxx\n";
  for (int i = 1; i < 40; ++i) {
    const std::string before = "${A" + std::to_string(i - 1) + "}";
    text += "A" + std::to_string(i) + "=" + before + before + "\n";
  }
  CHECK(!faults(text).empty());
}

TEST_CASE("expand: names, defaults and the escape") {
  const Variables variables = {{"A", "a"}, {"EMPTY", ""}, {"_x9", "u"}};
  CHECK(expand("${A}", variables) == "a");
  CHECK(expand("x${A}y${A}z", variables) == "xayaz");
  CHECK(expand("${_x9}", variables) == "u");
  CHECK(expand("${EMPTY}", variables) == "");
  CHECK(expand("${EMPTY:-d}", variables) == "d");
  CHECK(expand("${NONE:-d}", variables) == "d");
  CHECK(expand("${NONE:-}", variables) == "");
  CHECK(expand("${NONE:-${A}${NONE:-b}}", variables) == "ab");
  CHECK(expand("$${A} $A $ $5 {A} {path}", variables) == "${A} $A $ $5 {A} {path}");
  CHECK(expand("$2y$12$abc", variables) == "$2y$12$abc");
}

TEST_CASE("expand: what cannot be filled in is told") {
  const Variables variables = {{"A", "a"}};
  for (const std::string_view text : {"${NONE}", "${", "${A", "${}", "${:-x}", "${A-x}", "${A:x}",
                                      "${9}", "${A B}", "${A:-${NONE}"}) {
    CAPTURE(text);
    CHECK(expand(text, variables).starts_with("!"));
  }
  std::string deep = "x";
  for (int i = 0; i < 20; ++i) deep = "${N:-" + deep + "}";
  CHECK(expand(deep, variables).starts_with("!"));
  const Variables large = {{"L", std::string(60'000, 'l')}};
  CHECK(expand("${L}", large).size() == 60'000);
  CHECK(expand("${L}${L}", large).starts_with("!"));
}

TEST_CASE("environment: the real one wins over files, a file over that of its importer") {
  Environment environment(Variables{{"A", "real"}});
  environment.add_file("outer.env", {{"A", "outer"}, {"B", "outer"}, {"C", "outer"}});
  environment.add_file("inner.env", {{"A", "inner"}, {"B", "inner"}});
  CHECK(*environment.find("A") == "real");
  CHECK(*environment.find("B") == "inner");
  CHECK(*environment.find("C") == "outer");
  CHECK(environment.find("D") == nullptr);
  CHECK(environment.files() == std::vector<std::string>{"inner.env", "outer.env"});
}

}  // namespace portero::conf
