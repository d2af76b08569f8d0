// One field line of a head or trailer section, taken apart. Inside h1_* only.
// Pure. Thread: owner's. Source: RFC 9112 §5.
#pragma once

#include <string_view>

#include "base/bytes.hpp"
#include "http/chars.hpp"
#include "http/header_list.hpp"

namespace portero::http {

// Splits "name: value" of a line without control bytes; the field is clean. Returns false when the
// name is not a token directly followed by a colon: that covers folded lines, empty names and a
// space before the colon.
inline bool split_field_line(std::string_view line, Field& field) noexcept {
  std::size_t name_bytes = 0;
  while (name_bytes < line.size() && is_char_of(line[name_bytes], char_class::token)) ++name_bytes;
  if (name_bytes == 0 || name_bytes == line.size() || line[name_bytes] != ':') return false;
  field.name = line.substr(0, name_bytes);
  field.value = trim_ows(line.substr(name_bytes + 1));
  field.id = identify_field(field.name);
  field.clean = true;
  return true;
}

}  // namespace portero::http
