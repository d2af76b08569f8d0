// Which bytes may stand where in a message: one table, one look-up per byte.
// Pure. Thread: any (constant data). Source: RFC 9110 §5.5, §5.6.2; RFC 3986 §2.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

namespace portero::http {

namespace char_class {

constexpr std::uint8_t token = 1;   // tchar: methods and field names
constexpr std::uint8_t target = 2;  // request targets: visible ASCII but '#'
constexpr std::uint8_t value = 4;   // field values: no control byte but HTAB
constexpr std::uint8_t host = 8;    // registered names and IPv4: letters, digits, "-._~"
constexpr std::uint8_t plain = 16;  // of a path: means itself, so none of '%', '?', '.', '/'

constexpr bool contains(std::string_view set, int c) noexcept {
  return set.find(static_cast<char>(c)) != std::string_view::npos;
}

constexpr std::array<std::uint8_t, 256> table = [] {
  std::array<std::uint8_t, 256> classes{};
  for (int c = 0; c < 256; ++c) {
    const bool alnum = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
    const bool visible = c > 0x20 && c < 0x7f;
    std::uint8_t bits = 0;
    if (alnum || (visible && contains("!#$%&'*+-.^_`|~", c))) bits |= token;
    if (visible && c != '#') bits |= target;
    if (c == '\t' || (c >= 0x20 && c != 0x7f)) bits |= value;
    if (alnum || (visible && contains("-._~", c))) bits |= host;
    if (visible && !contains("#%?./", c)) bits |= plain;
    classes[static_cast<std::size_t>(c)] = bits;
  }
  return classes;
}();

}  // namespace char_class

constexpr bool is_char_of(char c, std::uint8_t classes) noexcept {
  return (char_class::table[static_cast<unsigned char>(c)] & classes) != 0;
}

constexpr bool all_chars_of(std::string_view text, std::uint8_t classes) noexcept {
  return std::all_of(text.begin(), text.end(),
                     [classes](char c) { return is_char_of(c, classes); });
}

constexpr bool is_token(std::string_view text) noexcept {
  return !text.empty() && all_chars_of(text, char_class::token);
}

// Whether a field value can be written without breaking its line.
constexpr bool is_field_value(std::string_view text) noexcept {
  return all_chars_of(text, char_class::value);
}

}  // namespace portero::http
