// `portero trust`: makes this machine's programs trust the internal CA.
// Thread: main.
#pragma once

#include <string>

namespace portero {

// Copies the root into the system's store and updates it; returns what was done and what browsers
// with a store of their own (Firefox, Chromium on Linux) still need.
// Throws std::runtime_error saying what is missing (no root yet, no permission).
std::string trust_internal_root(const std::string& storage);

}  // namespace portero
