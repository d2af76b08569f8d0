// What a valid site file wants of the machine and does not find there: folders, sockets. Said by
// `portero check` and at every load; nothing is refused for it, because it may come later.
// Thread: control, and commands. Owner: none.
#pragma once

#include <string>
#include <vector>

#include "conf/config.hpp"

namespace portero {

// Sentences for people, each with its place in the file and what to do.
std::vector<std::string> advice_for(const conf::Config& config);

}  // namespace portero
