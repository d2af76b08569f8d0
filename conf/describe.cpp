#include "conf/describe.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "conf/forms.hpp"

namespace portero::conf {
namespace {

void add_words(const Value& value, std::vector<std::string>& parts) {
  std::vector<std::string_view> words;
  for (const Word& word : value.words) {
    if (word.available) words.push_back(word.text);
  }
  if (words.empty()) return;
  const bool only = value.scalar == Form::none && words.size() > 1;
  parts.push_back(fmt::format("{}{}", only ? "one of " : "", fmt::join(words, ", ")));
}

void add_phrase(const Value& value, std::vector<std::string>& parts) {
  if (value.scalar == Form::none) return;
  std::string phrase(form_info(value.scalar).phrase);
  if (value.scalar == Form::integer) {
    phrase += fmt::format(" from {} to {}", value.bounds.min, value.bounds.max);
  }
  parts.push_back(std::move(phrase));
}

void add_map(const Value& value, std::vector<std::string>& parts) {
  constexpr std::size_t named_keys_max = 8;  // more are not worth reading
  if (value.object == nullptr && value.entries == nullptr) return;
  std::vector<std::string_view> names;
  if (value.object != nullptr) {
    for (const Key& key : value.object->keys) {
      if (key.available) names.push_back(key.name);
    }
  }
  std::string part = value.lists == Lists::only ? "a list of maps" : "a map";
  if (!names.empty() && names.size() <= named_keys_max) {
    part += fmt::format(" with {}", fmt::join(names, ", "));
  }
  parts.push_back(std::move(part));
}

}  // namespace

std::string describe_scalar(const Value& value) {
  std::vector<std::string> parts;
  add_words(value, parts);
  add_phrase(value, parts);
  // "a text" alone says nothing.
  if (parts.size() == 1 && parts[0] == "a text") return {};
  return fmt::format("{}", fmt::join(parts, ", or "));
}

std::string describe(const Value& value) {
  std::vector<std::string> parts;
  add_words(value, parts);
  add_phrase(value, parts);
  add_map(value, parts);
  if (value.lists == Lists::also) parts.emplace_back("a list of these");
  return fmt::format("{}", fmt::join(parts, ", or "));
}

}  // namespace portero::conf
