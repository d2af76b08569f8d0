#include "conf/yaml_hints.hpp"

#include <algorithm>
#include <map>

#include <fmt/format.h>

namespace portero::conf {
namespace {

bool is_indented_by_tab(std::string_view line) {
  const std::size_t first = line.find_first_not_of(' ');
  return first != std::string_view::npos && line[first] == '\t';
}

// "proxy:nginx" instead of "proxy: nginx": the key, or "".
std::string_view key_without_space(std::string_view line) {
  line = line.substr(std::min(line.find_first_not_of(" -"), line.size()));
  const std::size_t end = line.find_first_not_of("abcdefghijklmnopqrstuvwxyz_0123456789");
  if (line.empty() || end == 0 || end >= line.size() - 1 || line[end] != ':') return {};
  return line[end + 1] == ' ' || line[end + 1] == '/' ? std::string_view() : line.substr(0, end);
}

bool has_unquoted_star(std::string_view line) {
  const std::size_t star = line.find("*.");
  return star != std::string_view::npos &&
         (star == 0 || std::string_view(" [,{").find(line[star - 1]) != std::string_view::npos);
}

bool has_reference_in_brackets(std::string_view line) {
  const std::size_t open = line.find_first_of("{[");
  return open != std::string_view::npos && line.find("${", open + 1) != std::string_view::npos;
}

bool has_two_colons(std::string_view line) {
  const std::size_t colon = line.find(": ");
  return colon != std::string_view::npos && line.find(": ", colon + 2) != std::string_view::npos;
}

}  // namespace

std::string yaml_hint(std::string_view message, std::string_view line) {
  const bool about_flow = message.find("flow") != std::string_view::npos;
  if (is_indented_by_tab(line)) return "a tab indents this line: YAML takes spaces only";
  if (message.find("anchor") != std::string_view::npos || message.find("alias") == 0) {
    return has_unquoted_star(line) ? "a text that starts with * stands in quotes" : "";
  }
  if (about_flow) {
    return has_reference_in_brackets(line) ? "inside { } and [ ] a ${NAME} stands in quotes" : "";
  }
  if (message != "illegal map value" && message != "end of map not found") return {};
  if (const std::string_view key = key_without_space(line); !key.empty()) {
    return fmt::format("a space is missing after `{}:`", key);
  }
  return has_two_colons(line) ? "a text that holds a colon and a space stands in quotes" : "";
}

std::string plain_yaml_message(const std::string& message) {
  static const std::map<std::string_view, std::string_view> words = {
      {"end of map not found", "this does not fit the indentation of the lines above"},
      {"end of sequence not found", "this does not fit the indentation of the lines above"},
      {"illegal map value", "a colon is not allowed here"},
      {"illegal map key", "a key is not allowed here"},
      {"illegal block entry", "a list item is not allowed here"},
      {"end of map flow not found", "the { of this map is not closed"},
      {"end of sequence flow not found", "the [ of this list is not closed"},
      {"illegal flow end", "this bracket closes nothing"},
      {"illegal EOF in scalar", "this text in quotes does not end"},
      {"illegal tab when looking for indentation", "a tab is not allowed here"},
      {"the referenced anchor is not defined", "this alias names no anchor above it"},
      {"alias not found after *", "a name is missing after *"},
  };
  const auto found = words.find(message);
  return found == words.end() ? message : std::string(found->second);
}

}  // namespace portero::conf
