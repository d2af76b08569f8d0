#include "base/placeholders.hpp"

#include <array>
#include <utility>

#include "base/bytes.hpp"

namespace portero {
namespace {

constexpr std::array known_placeholders = {
    Placeholder{"path", ValueKind::path,
                "the path in the form that is matched, after `strip_prefix` and `rewrite`"},
    Placeholder{"uri", ValueKind::uri, "path and query as the client sent them"},
    Placeholder{"query", ValueKind::query, "the query without its `?`, as sent"},
    Placeholder{"host", ValueKind::host, "the host name, without the port"},
    Placeholder{"hostport", ValueKind::hostport, "host name and port, as the client sent them"},
    Placeholder{"method", ValueKind::method, "the request's method"},
    Placeholder{"scheme", ValueKind::scheme, "`http` or `https`"},
    Placeholder{"client_ip", ValueKind::client_ip,
                "the client's address, behind trusted proxies too"},
    Placeholder{"request_id", ValueKind::request_id, "a random id of the request"},
    Placeholder{"query.", ValueKind::query_value, "the value of a query parameter: `{query.page}`"},
    Placeholder{"header.", ValueKind::header_value,
                "the value of a request header: `{header.User-Agent}`"},
    Placeholder{"cookie.", ValueKind::cookie_value, "the value of a cookie: `{cookie.theme}`"},
    Placeholder{"re.", ValueKind::regexp_group,
                "a group of the route's `path_regexp`: `{re.1}` is the first, `{re.0}` the match"},
    Placeholder{"user", ValueKind::user, "the name that `basic_auth` has verified"},
    Placeholder{"error.status", ValueKind::error_status, "in `errors`: the status"},
    Placeholder{"error.reason", ValueKind::error_reason, "in `errors`: what went wrong"},
    Placeholder{"client_cert.subject", ValueKind::client_cert_subject,
                "the subject of the client's certificate (`tls.client_auth`), or nothing"},
    Placeholder{"client_cert.fingerprint", ValueKind::client_cert_fingerprint,
                "its SHA-256 in hexadecimal digits, or nothing"},
};

bool is_name_char(char c) noexcept {
  const char lower = ascii_lower(c);
  return (lower >= 'a' && lower <= 'z') || (c >= '0' && c <= '9') || c == '_' || c == '-' ||
         c == '.';
}

}  // namespace

std::span<const Placeholder> placeholders() noexcept { return known_placeholders; }

const Placeholder* find_placeholder(std::string_view name) noexcept {
  for (const Placeholder& known : known_placeholders) {
    const bool is_it = known.takes_name()
                           ? name.starts_with(known.name) && name.size() > known.name.size()
                           : name == known.name;
    if (is_it) return &known;
  }
  return nullptr;
}

PlaceholderCut cut_placeholder(std::string_view& text) noexcept {
  for (std::size_t open = text.find('{'); open != std::string_view::npos;
       open = text.find('{', open + 1)) {
    std::size_t end = open + 1;
    while (end < text.size() && is_name_char(text[end])) ++end;
    if (end == open + 1 || end == text.size() || text[end] != '}') continue;
    const PlaceholderCut cut{text.substr(0, open), text.substr(open + 1, end - open - 1)};
    text.remove_prefix(end + 1);
    return cut;
  }
  return {std::exchange(text, {}), {}};
}

std::vector<std::string_view> find_placeholders(std::string_view text) {
  std::vector<std::string_view> names;
  while (!text.empty()) {
    const PlaceholderCut cut = cut_placeholder(text);
    if (!cut.name.empty()) names.push_back(cut.name);
  }
  return names;
}

}  // namespace portero
