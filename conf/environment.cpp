#include "conf/environment.hpp"

#include <unistd.h>

#include <fmt/format.h>
#include <fmt/ranges.h>

namespace portero::conf {
namespace {

constexpr unsigned nesting_max = 8;  // ${A:-${B:-…}}

constexpr bool is_name_char(char c, bool first) {
  return c == '_' || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (!first && c >= '0' && c <= '9');
}

// How many bytes at the front are a variable's name.
std::size_t name_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() && is_name_char(text[length], length == 0)) ++length;
  return length;
}

// The place of the brace that closes a reference; text[0] is the first byte inside it.
std::size_t closing_brace(std::string_view text) {
  unsigned open = 1;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '{') ++open;
    if (text[i] == '}' && --open == 0) return i;
  }
  return std::string_view::npos;
}

}  // namespace

Variables process_environment() {
  Variables variables;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view text = *entry;
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos || equals == 0) continue;
    variables.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return variables;
}

void Environment::add_file(const std::string& file, Variables variables) {
  layers_.insert(layers_.begin(),
                 Layer{file, std::make_shared<const Variables>(std::move(variables))});
}

const std::string* Environment::find(std::string_view name) const {
  if (const auto real = process_->find(name); real != process_->end()) return &real->second;
  for (const Layer& layer : layers_) {
    const auto found = layer.variables->find(name);
    if (found != layer.variables->end()) return &found->second;
  }
  return nullptr;
}

std::vector<std::string> Environment::files() const {
  std::vector<std::string> names;
  for (const Layer& layer : layers_) names.push_back(layer.file);
  return names;
}

std::optional<Expander::Failure> Expander::expand(std::string_view text, std::string& out) {
  std::optional<Failure> failure = expand_nested(text, out, 0);
  if (failure) return failure;
  total_ += out.size();
  if (out.size() > expanded_value_bytes_max && out.size() > text.size()) {
    return Failure{"with its ${…} filled in this is longer than 64 KiB", ""};
  }
  if (total_ > expanded_total_bytes_max) {
    return Failure{"with all ${…} filled in the file is longer than 16 MiB", ""};
  }
  return std::nullopt;
}

std::optional<Expander::Failure> Expander::expand_nested(std::string_view text, std::string& out,
                                                         unsigned depth) {
  while (!text.empty()) {
    const std::size_t dollar = text.find('$');
    out.append(text.substr(0, dollar));
    if (dollar == std::string_view::npos) return std::nullopt;
    text.remove_prefix(dollar);
    if (text.starts_with("$${")) {
      out += "${";
      text.remove_prefix(3);
      continue;
    }
    if (!text.starts_with("${")) {
      out += '$';
      text.remove_prefix(1);
      continue;
    }
    text.remove_prefix(2);
    const std::size_t end = closing_brace(text);
    if (end == std::string_view::npos) return Failure{"a ${ has no closing brace", "${NAME}"};
    std::optional<Failure> failure = expand_reference(text.substr(0, end), out, depth);
    if (failure) return failure;
    if (out.size() > expanded_total_bytes_max) return std::nullopt;  // expand() refuses it
    text.remove_prefix(end + 1);
  }
  return std::nullopt;
}

std::optional<Expander::Failure> Expander::expand_reference(std::string_view inside,
                                                            std::string& out, unsigned depth) {
  const std::string_view name = inside.substr(0, name_length(inside));
  const std::string_view rest = inside.substr(name.size());
  const bool has_default = rest.starts_with(":-");
  if (name.empty() || (!rest.empty() && !has_default) || depth == nesting_max) {
    return Failure{fmt::format("${{{}}} cannot be read", inside),
                   "${NAME} or ${NAME:-default}; $${ stands for ${"};
  }
  const std::string* value = environment_.find(name);
  if (value != nullptr && !(has_default && value->empty())) {
    out += *value;
    return std::nullopt;
  }
  if (!has_default) return not_set(name);
  return expand_nested(rest.substr(2), out, depth + 1);
}

Expander::Failure Expander::not_set(std::string_view name) const {
  const std::vector<std::string> files = environment_.files();
  const std::string where = files.empty() ? std::string("in a file that `env_file` names")
                                          : fmt::format("in {}", fmt::join(files, " or "));
  return {fmt::format("${{{}}} is not set; define it in the environment or {}, or give it a "
                      "default: ${{{}:-…}}",
                      name, where, name),
          ""};
}

}  // namespace portero::conf
