// Bytes and text helpers shared by every codec. All functions are pure.
// Bytes is a borrowed view: whoever stores one names the owner in a comment.
// Thread: any.
#pragma once

#include <charconv>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace portero {

using Bytes = std::string_view;
using MutableBytes = std::span<char>;

constexpr char ascii_lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

// Compares without regard to ASCII case. Source: RFC 9110 §5.1 (field names).
constexpr bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  for (std::size_t i = 0; i < a.size(); ++i) {
    if (ascii_lower(a[i]) != ascii_lower(b[i])) return false;
  }
  return true;
}

// Removes spaces and tabs at both ends. Source: RFC 9110 §5.6.3 (OWS).
constexpr std::string_view trim_ows(std::string_view text) noexcept {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

// Parses 1*DIGIT that fits 63 bits, nothing else. Source: RFC 9110 §8.6.
inline std::optional<std::uint64_t> parse_decimal(std::string_view text) noexcept {
  if (text.empty() || text.size() > 19) return std::nullopt;
  std::uint64_t value = 0;
  for (char c : text) {
    if (c < '0' || c > '9') return std::nullopt;
    value = value * 10 + static_cast<std::uint64_t>(c - '0');
  }
  if (value > static_cast<std::uint64_t>(INT64_MAX)) return std::nullopt;
  return value;
}

// Calls `visit(element)` for each non-empty element of a comma-separated list until it returns
// false. Source: RFC 9110 §5.6.1.
template <class Visit>
bool for_each_list_element(std::string_view list, Visit&& visit) {
  while (!list.empty()) {
    const std::size_t comma = list.find(',');
    const std::string_view element = trim_ows(list.substr(0, comma));
    list.remove_prefix(comma == std::string_view::npos ? list.size() : comma + 1);
    if (!element.empty() && !visit(element)) return false;
  }
  return true;
}

// Tells whether a comma-separated list holds `token`, without regard to case.
inline bool list_has_token(std::string_view list, std::string_view token) noexcept {
  return !for_each_list_element(list, [token](std::string_view e) { return !iequals(e, token); });
}

std::string to_lower(std::string_view text);
std::string to_hex(std::string_view bytes);
// Decodes %xx once. Errors: nullopt on a bad escape.
std::optional<std::string> percent_decode(std::string_view text);
// Checks well-formed UTF-8 (no overlong forms, no surrogates). Source: RFC 3629 §4.
bool is_utf8(std::string_view text) noexcept;
// Appends `text` as the inside of a JSON string; bytes that are not UTF-8 become U+FFFD.
void append_json_escaped(std::string& out, std::string_view text);
// Compares in time that depends on the lengths only.
bool equal_constant_time(std::string_view a, std::string_view b) noexcept;
// Edit distance ≤ `limit`, for "did you mean"; limit + 1 when farther.
unsigned edit_distance(std::string_view a, std::string_view b, unsigned limit);

}  // namespace portero
