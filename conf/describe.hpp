// Says in words what the schema accepts, for messages.
// Thread: any (pure).
#pragma once

#include <string>

#include "conf/schema.hpp"

namespace portero::conf {

// "a duration such as 30s …, auto, or a map": what may stand behind a key.
std::string describe(const Value& value);
// The same, of a scalar alone: "a duration such as 30s …, auto".
std::string describe_scalar(const Value& value);

}  // namespace portero::conf
