// Runs a command of the user: a DNS hook, an event hook.
// Thread: the ACME threads; blocks until the command ends.
#pragma once

#include <chrono>
#include <string>
#include <utility>
#include <vector>

#include "acme/stop_signal.hpp"

namespace portero::acme {

struct Command {
  std::string path;
  std::vector<std::string> arguments;
  // Added to the environment of this process.
  std::vector<std::pair<std::string, std::string>> environment;
  std::chrono::milliseconds timeout{120'000};
};

// Returns "" when the command ended with status 0, else a sentence with what it wrote last. A
// command that takes too long is ended, with all that it started. Throws Stopped.
std::string run_command(const Command& command, StopSignal& stop);

}  // namespace portero::acme
