#include "base/bytes.hpp"

#include <vector>

#include <doctest/doctest.h>

using namespace portero;

namespace {

std::vector<std::string> elements_of(std::string_view list) {
  std::vector<std::string> elements;
  for_each_list_element(list, [&](std::string_view element) {
    elements.emplace_back(element);
    return true;
  });
  return elements;
}

std::string json_escaped(std::string_view text) {
  std::string out;
  append_json_escaped(out, text);
  return out;
}

}  // namespace

TEST_CASE("bytes: iequals folds ASCII letters and nothing else") {
  CHECK(iequals("Content-Length", "cONTENT-lENGTH"));
  CHECK_FALSE(iequals("a", "ab"));
  CHECK_FALSE(iequals("[", "{"));
  CHECK_FALSE(iequals("\xC3\x89", "\xC3\xA9"));
}

TEST_CASE("bytes: trim_ows removes spaces and tabs at both ends only") {
  CHECK(trim_ows(" \t a b\t ") == "a b");
  CHECK(trim_ows("\r\n") == "\r\n");
  CHECK(trim_ows(" \t ").empty());
}

TEST_CASE("bytes: parse_decimal takes digits that fit 63 bits") {
  CHECK(parse_decimal("0") == 0U);
  CHECK(parse_decimal("007") == 7U);
  CHECK(parse_decimal("9223372036854775807") == 9223372036854775807U);
}

TEST_CASE("bytes: parse_decimal refuses signs, spaces, hex, lists and overflow") {
  for (const char* text : {"", "+5", "-1", " 5", "5 ", "0x5", "5,5", "5.0", "9223372036854775808",
                           "99999999999999999999", "18446744073709551616"}) {
    CAPTURE(text);
    CHECK_FALSE(parse_decimal(text).has_value());
  }
}

TEST_CASE("bytes: a list's elements come trimmed and without the empty ones") {
  CHECK(elements_of("a, b ,\tc") == std::vector<std::string>{"a", "b", "c"});
  CHECK(elements_of(",, a,,") == std::vector<std::string>{"a"});
  CHECK(elements_of("").empty());
}

TEST_CASE("bytes: list_has_token compares whole elements without regard to case") {
  CHECK(list_has_token("keep-alive, Upgrade", "upgrade"));
  CHECK_FALSE(list_has_token("upgrade-insecure", "upgrade"));
  CHECK_FALSE(list_has_token("", "upgrade"));
}

TEST_CASE("bytes: to_lower and to_hex") {
  CHECK(to_lower("ExAmple.COM") == "example.com");
  CHECK(to_hex(std::string_view("\x00\x7f\xff", 3)) == "007fff");
}

TEST_CASE("bytes: percent_decode decodes once") {
  CHECK(percent_decode("/a%20b%2Fc") == "/a b/c");
  CHECK(percent_decode("%2541") == "%41");
  CHECK(percent_decode("%00") == std::string(1, '\0'));
  CHECK(percent_decode("a+b") == "a+b");
}

TEST_CASE("bytes: percent_decode refuses a bad or cut escape") {
  for (const char* text : {"%", "%2", "a%zz", "%2g", "%-1"}) {
    CAPTURE(text);
    CHECK_FALSE(percent_decode(text).has_value());
  }
}

TEST_CASE("bytes: is_utf8 accepts every well-formed length") {
  CHECK(is_utf8(""));
  CHECK(is_utf8("plain"));
  CHECK(is_utf8("\xC3\xA9 \xE2\x82\xAC \xF0\x9F\x9A\xAA"));
  CHECK(is_utf8("\xEF\xBF\xBF"));
  CHECK(is_utf8("\xF4\x8F\xBF\xBF"));
}

TEST_CASE("bytes: is_utf8 refuses overlong forms, surrogates, cut sequences and stray bytes") {
  for (const char* text :
       {"\xC0\xAF", "\xE0\x80\xAF", "\xF0\x80\x80\xAF", "\xED\xA0\x80", "\xF4\x90\x80\x80", "\xC3",
        "\xE2\x82", "\xF0\x9F\x9A", "\x80", "\xFF", "\xC3(", "a\xE2\x28\xA1"}) {
    CAPTURE(to_hex(text));
    CHECK_FALSE(is_utf8(text));
  }
}

TEST_CASE("bytes: JSON text escapes quotes, backslashes and control bytes") {
  CHECK(json_escaped("a\"b\\c") == R"(a\"b\\c)");
  CHECK(json_escaped("\n\x01\x7f") == R"(\u000a\u0001\u007f)");
  CHECK(json_escaped("\xC3\xA9") == "\xC3\xA9");
}

TEST_CASE("bytes: JSON text replaces what is not UTF-8, byte by byte") {
  CHECK(json_escaped("a\xFFz") == R"(a\ufffdz)");
  CHECK(json_escaped("\xE2\x82") == R"(\ufffd\ufffd)");
}

TEST_CASE("bytes: equal_constant_time compares content and length") {
  CHECK(equal_constant_time("", ""));
  CHECK(equal_constant_time("secret", "secret"));
  CHECK_FALSE(equal_constant_time("secret", "secres"));
  CHECK_FALSE(equal_constant_time("secret", "secret "));
}

TEST_CASE("bytes: edit_distance counts changes up to the limit") {
  CHECK(edit_distance("encode", "encode", 3) == 0);
  CHECK(edit_distance("encde", "encode", 3) == 1);
  CHECK(edit_distance("proxi", "proxy", 3) == 1);
  CHECK(edit_distance("", "abc", 5) == 3);
  CHECK(edit_distance("abcdef", "uvwxyz", 2) == 3);
}
