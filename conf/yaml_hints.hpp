// Turns the messages of the YAML parser into what helps a person who does not know its terms.
// Thread: any (pure).
#pragma once

#include <string>
#include <string_view>

namespace portero::conf {

// What most likely went wrong in `line`, given the parser's message: a tab, a missing space after
// the colon, a star or a ${NAME} without quotes; "" when nothing is known.
std::string yaml_hint(std::string_view message, std::string_view line);

// The parser's message in plain words.
std::string plain_yaml_message(const std::string& message);

}  // namespace portero::conf
