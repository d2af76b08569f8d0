// Rehearsal: makes what a configuration wants of handlers and certificates, and drops it again, so
// that what only turns out then (a key that belongs to another certificate) is told before anything
// has changed, and by `portero check` too.
// Thread: any that has no event loop of its own. Owner: none.
#pragma once

#include <string>
#include <vector>

#include "conf/config.hpp"

namespace portero {

// Sentences for people that name the place in the file; none when a worker can run it all.
std::vector<std::string> rehearse(const conf::Config& config);

}  // namespace portero
