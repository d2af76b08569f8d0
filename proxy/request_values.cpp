#include "proxy/request_values.hpp"

#include "base/bytes.hpp"

namespace portero::proxy {
namespace {

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Takes one decoded byte from the front of `raw`, which is not empty.
char take_decoded(std::string_view& raw) noexcept {
  const char c = raw.front();
  if (c == '%' && raw.size() >= 3) {
    const int high = hex_value(raw[1]);
    const int low = hex_value(raw[2]);
    if (high >= 0 && low >= 0) {
      raw.remove_prefix(3);
      return static_cast<char>(high * 16 + low);
    }
  }
  raw.remove_prefix(1);
  return c == '+' ? ' ' : c;
}

bool needs_decoding(std::string_view raw) noexcept {
  return raw.find_first_of("%+") != std::string_view::npos;
}

}  // namespace

bool form_equals(std::string_view raw, std::string_view text) noexcept {
  for (const char c : text) {
    if (raw.empty() || take_decoded(raw) != c) return false;
  }
  return raw.empty();
}

std::optional<std::string_view> query_value(std::string_view query,
                                            std::string_view name) noexcept {
  while (!query.empty()) {
    const std::size_t end = query.find('&');
    const std::string_view pair = query.substr(0, end);
    query.remove_prefix(end == std::string_view::npos ? query.size() : end + 1);
    const std::size_t equals = pair.find('=');
    if (!form_equals(pair.substr(0, equals), name)) continue;
    return equals == std::string_view::npos ? std::string_view() : pair.substr(equals + 1);
  }
  return std::nullopt;
}

std::string_view decode_form(std::string_view raw, Arena& arena) {
  if (!needs_decoding(raw)) return raw;
  char* const out = arena.allocate_array<char>(raw.size());
  std::size_t size = 0;
  while (!raw.empty()) out[size++] = take_decoded(raw);
  return {out, size};
}

std::string decode_form(std::string_view raw) {
  std::string out;
  out.reserve(raw.size());
  while (!raw.empty()) out.push_back(take_decoded(raw));
  return out;
}

std::optional<std::string_view> cookie_value(const http::HeaderList& headers,
                                             std::string_view name) noexcept {
  for (const http::Field& field : headers) {
    if (field.id != http::FieldId::cookie) continue;
    std::string_view rest = field.value;
    while (!rest.empty()) {
      const std::size_t end = rest.find(';');
      const std::string_view pair = trim_ows(rest.substr(0, end));
      rest.remove_prefix(end == std::string_view::npos ? rest.size() : end + 1);
      const std::size_t equals = pair.find('=');
      if (equals != std::string_view::npos && pair.substr(0, equals) == name) {
        return pair.substr(equals + 1);
      }
    }
  }
  return std::nullopt;
}

}  // namespace portero::proxy
