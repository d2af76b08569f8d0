// The request placeholders that a text of the site file may hold: {path}, {header.X}, … The one
// table of them: the loader checks names by it, docs/config.md lists it, and the proxy, which fills
// them in for each request, takes its kinds from it.
// Thread: any (pure).
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace portero {

// What a piece of a text with placeholders stands for.
enum class ValueKind : std::uint8_t {
  literal,
  path,
  uri,
  query,
  host,
  hostport,
  method,
  scheme,
  client_ip,
  request_id,
  query_value,
  header_value,
  cookie_value,
  regexp_group,
  user,
  error_status,
  error_reason,
  client_cert_subject,
  client_cert_fingerprint,
};

struct Placeholder {
  std::string_view name;  // "path"; one that ends with a dot takes a name: "header."
  ValueKind kind;
  std::string_view doc;

  bool takes_name() const noexcept { return name.back() == '.'; }
};

std::span<const Placeholder> placeholders() noexcept;

// The placeholder that `name` is, as it stands between braces; nullptr for none.
const Placeholder* find_placeholder(std::string_view name) noexcept;

// A text up to its first {name}, and that name, which need not be known. Braces around anything but
// letters, digits, "_", "-" and ".", as of JSON, are text.
struct PlaceholderCut {
  std::string_view literal;
  std::string_view name;  // "" = none up to the end
};

// Cuts both off the front of `text`.
PlaceholderCut cut_placeholder(std::string_view& text) noexcept;

// The names of all {name} in `text`, without braces.
std::vector<std::string_view> find_placeholders(std::string_view text);

}  // namespace portero
