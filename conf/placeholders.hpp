// The request placeholders that a text of the site file may hold: {path}, {header.X}, … They are
// filled in for each request; here they are only known by name.
// Thread: any (pure).
#pragma once

#include <span>
#include <string_view>
#include <vector>

namespace portero::conf {

struct Placeholder {
  std::string_view name;  // "path"; one that ends with a dot takes a name: "header."
  std::string_view doc;
};

std::span<const Placeholder> placeholders();

bool is_placeholder(std::string_view name);

// The names of all {name} in `text` that could be placeholders (letters, digits, "_", "-", "."),
// without braces. Other braces, as of JSON, are text.
std::vector<std::string_view> find_placeholders(std::string_view text);

}  // namespace portero::conf
