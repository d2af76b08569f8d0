#include "conf/placeholders.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"

namespace portero::conf {
namespace {

constexpr std::array<Placeholder, 12> known = {{
    {"path", "the path, decoded, after `strip_prefix` and `rewrite`"},
    {"uri", "path and query as the client sent them"},
    {"query", "the query without its `?`, as sent"},
    {"host", "the host name, without the port"},
    {"hostport", "host name and port, as the client sent them"},
    {"method", "the request's method"},
    {"scheme", "`http` or `https`"},
    {"client_ip", "the client's address, behind trusted proxies too"},
    {"request_id", "a random id of the request"},
    {"query.", "the value of a query parameter: `{query.page}`"},
    {"header.", "the value of a request header: `{header.User-Agent}`"},
    {"cookie.", "the value of a cookie: `{cookie.theme}`"},
}};

bool is_name_char(char c) {
  const char lower = ascii_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

}  // namespace

std::span<const Placeholder> placeholders() { return known; }

bool is_placeholder(std::string_view name) {
  return std::any_of(known.begin(), known.end(), [&](const Placeholder& placeholder) {
    if (!placeholder.name.ends_with('.')) return name == placeholder.name;
    return name.starts_with(placeholder.name) && name.size() > placeholder.name.size();
  });
}

std::vector<std::string_view> find_placeholders(std::string_view text) {
  std::vector<std::string_view> names;
  std::size_t open = text.find('{');
  while (open != std::string_view::npos) {
    std::size_t end = open + 1;
    while (end < text.size() && is_name_char(text[end])) ++end;
    if (end > open + 1 && end < text.size() && text[end] == '}') {
      names.push_back(text.substr(open + 1, end - open - 1));
    }
    open = text.find('{', open + 1);
  }
  return names;
}

}  // namespace portero::conf
