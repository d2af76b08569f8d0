// What each scalar form of the schema looks like: in words for messages and the reference page, as
// a JSON Schema fragment, and as a check.
// Thread: any (pure).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "conf/schema.hpp"

namespace portero::conf {

enum class JsonType : std::uint8_t { string, boolean, integer };

struct FormInfo {
  std::string_view phrase;   // "a duration such as 30s, 5m or 1h30m"
  std::string_view column;   // "duration": for the table of the reference page
  std::string_view pattern;  // an ECMA regular expression; "" = any text
  JsonType type = JsonType::string;
};

const FormInfo& form_info(Form form);

struct FormIssue {
  std::string message;
  std::string suggestion;
  bool is_warning = false;
};

// Checks a scalar, with ${…} filled in, against the value's scalar form, bounds and subject.
std::optional<FormIssue> check_form(const Value& value, std::string_view text);

// The word that is nearest to `text`, if one is near enough to have been meant.
std::string nearest(std::string_view text, const std::vector<std::string_view>& words);

}  // namespace portero::conf
