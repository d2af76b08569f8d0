// `portero explain URL`: tells which site and route a URL takes, and why.
// Thread: main.
#pragma once

#include <string>
#include <string_view>

#include "conf/config.hpp"

namespace portero {

// Throws std::runtime_error for what is no http(s) URL.
std::string explain_url(const conf::Config& config, std::string_view url);

}  // namespace portero
