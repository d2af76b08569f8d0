// normalise_target (message.hpp): the one place where a request target is decoded. What comes out
// is what is matched, logged and served; an encoded slash has become a slash by then, everywhere,
// and slashes in a row have become one. A target that an upstream could understand differently
// (dot segments, a double slash at its start) is written anew from what was decided on.
#include "http/target.hpp"

#include <cstring>

#include "base/bytes.hpp"
#include "http/chars.hpp"
#include "http/message.hpp"

namespace portero::http {
namespace {

constexpr std::size_t port_digits_max = 5;

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

// Decodes %xx once. Returns the end of the output, or nullptr on a bad escape or control byte.
char* decode(std::string_view from, char* to) noexcept {
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (from[i] != '%') {
      *to++ = from[i];
      continue;
    }
    if (from.size() - i < 3) return nullptr;
    const int high = hex_value(from[i + 1]);
    const int low = hex_value(from[i + 2]);
    if (high < 0 || low < 0) return nullptr;
    const int byte = high * 16 + low;
    if (byte < 0x20 || byte == 0x7f) return nullptr;
    *to++ = static_cast<char>(byte);
    i += 2;
  }
  return to;
}

struct Resolved {
  char* end = nullptr;  // nullptr: ".." leaves the root
  bool had_dots = false;
};

// Resolves "." and ".." of a path that starts with '/' and merges slashes in a row, in place.
// Source: RFC 3986 §5.2.4.
Resolved resolve_segments(char* const path, const char* const path_end) noexcept {
  Resolved resolved;
  char* out = path;  // what is before it is resolved; never ends with a slash of its own
  for (const char* in = path; in < path_end;) {
    const auto* slash = static_cast<const char*>(
        std::memchr(in + 1, '/', static_cast<std::size_t>(path_end - in - 1)));
    const char* const end = slash == nullptr ? path_end : slash;
    const std::string_view segment(in + 1, static_cast<std::size_t>(end - in - 1));
    const bool is_last = slash == nullptr;
    if (segment == "." || segment == "..") {
      resolved.had_dots = true;
      if (segment == "..") {
        if (out == path) return {nullptr, true};
        do --out;
        while (*out != '/');
      }
      if (is_last) *out++ = '/';
    } else if (!segment.empty() || is_last) {
      const auto bytes = static_cast<std::size_t>(end - in);
      std::memmove(out, in, bytes);
      out += bytes;
    }
    in = end;
  }
  resolved.end = out;
  return resolved;
}

// Encodes a decoded path so that it means the same again. Source: RFC 3986 §3.3.
std::string_view encoded(std::string_view path, Arena& arena) {
  constexpr std::string_view digits = "0123456789ABCDEF";
  constexpr std::string_view kept = "/!$&'()*+,;=:@";
  char* const text = arena.allocate_array<char>(3 * path.size());
  char* to = text;
  for (const char c : path) {
    if (is_char_of(c, char_class::host) || kept.find(c) != std::string_view::npos) {
      *to++ = c;
      continue;
    }
    const auto byte = static_cast<unsigned char>(c);
    for (const char part : {'%', digits[byte >> 4], digits[byte & 15]}) *to++ = part;
  }
  return {text, static_cast<std::size_t>(to - text)};
}

// Makes the path that was decided on the one that is sent.
void rewrite_target(Request& request, Arena& arena) {
  if (request.original_target.empty()) request.original_target = request.target;
  const bool has_query = request.raw_path.size() < request.target.size();
  request.raw_path = encoded(request.path, arena);
  request.target =
      has_query ? arena.concat(request.raw_path, "?", request.query) : request.raw_path;
}

enum class PathForm : std::uint8_t { plain, needs_work, bad };

// Checks every byte of path and query and finds where the query starts.
PathForm inspect(std::string_view target, std::size_t& path_bytes) noexcept {
  PathForm form = PathForm::plain;
  std::size_t i = 0;
  for (; i < target.size() && target[i] != '?'; ++i) {
    const char c = target[i];
    if (is_char_of(c, char_class::plain)) continue;
    if (!is_char_of(c, char_class::target)) return PathForm::bad;
    const bool follows_slash = i != 0 && target[i - 1] == '/';
    if (c == '%' || (follows_slash && (c == '.' || c == '/'))) form = PathForm::needs_work;
  }
  path_bytes = i;
  return all_chars_of(target.substr(i), char_class::target) ? form : PathForm::bad;
}

bool normalise_path(Request& request, Arena& arena) {
  const std::string_view target = request.target;
  if (target == "*") {
    request.path = request.raw_path = target;
    request.query = {};
    return true;
  }
  if (target.empty() || target.front() != '/') return false;
  std::size_t path_bytes = 0;
  const PathForm form = inspect(target, path_bytes);
  if (form == PathForm::bad) return false;
  request.raw_path = request.path = target.substr(0, path_bytes);
  request.query = target.substr(std::min(path_bytes + 1, target.size()));
  if (form == PathForm::plain) return true;

  char* const path = arena.allocate_array<char>(path_bytes);
  const char* const decoded_end = decode(request.raw_path, path);
  if (decoded_end == nullptr) return false;
  const bool starts_twice = decoded_end - path > 1 && path[1] == '/';
  const Resolved resolved = resolve_segments(path, decoded_end);
  if (resolved.end == nullptr) return false;
  request.path = {path, static_cast<std::size_t>(resolved.end - path)};
  if (resolved.had_dots || starts_twice) rewrite_target(request, arena);
  return true;
}

bool is_port(std::string_view text) noexcept {
  if (text.empty()) return true;  // "example.com:" means the default port
  if (text.size() > port_digits_max) return false;
  const std::optional<std::uint64_t> port = parse_decimal(text);
  return port && *port <= 65535;
}

std::string_view lower_case(std::string_view text, Arena& arena) {
  const bool has_upper =
      std::any_of(text.begin(), text.end(), [](char c) { return c >= 'A' && c <= 'Z'; });
  if (!has_upper) return text;
  char* const out = arena.allocate_array<char>(text.size());
  std::transform(text.begin(), text.end(), out, ascii_lower);
  return {out, text.size()};
}

}  // namespace

bool split_authority(std::string_view authority, std::string_view& host) noexcept {
  std::size_t host_bytes = 0;
  if (authority.starts_with('[')) {
    const std::size_t bracket = authority.find(']');
    if (bracket == std::string_view::npos) return false;
    host_bytes = bracket + 1;
    host = authority.substr(0, host_bytes);
    if (!IpAddress::parse(host)) return false;
  } else {
    host_bytes = std::min(authority.find(':'), authority.size());
    host = authority.substr(0, host_bytes);
    if (host.empty() || !all_chars_of(host, char_class::host)) return false;
    if (host.ends_with('.')) host.remove_suffix(1);
    if (host.empty() || host.front() == '.' || host.ends_with('.')) return false;
  }
  const std::string_view rest = authority.substr(host_bytes);
  return rest.empty() || (rest.front() == ':' && is_port(rest.substr(1)));
}

TargetCheck normalise_target(Request& request, Arena& arena) {
  if (!normalise_path(request, arena)) return TargetCheck::bad_target;
  request.host = {};
  if (request.authority.empty()) return TargetCheck::ok;  // only HTTP/1.0 may lack it
  std::string_view host;
  if (!split_authority(request.authority, host)) return TargetCheck::bad_host;
  request.host = lower_case(host, arena);
  return TargetCheck::ok;
}

}  // namespace portero::http
