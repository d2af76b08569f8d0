// What `portero status` shows: gathered from the workers' counters and the current generation.
// Thread: control.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "generation.hpp"
#include "worker.hpp"

namespace portero {

struct StatusInput {
  const Generation& generation;
  const std::vector<std::unique_ptr<Worker>>& workers;
  std::string config_path;
  std::uint64_t descriptor_limit = 0;
  std::int64_t started_unix_ms = 0;
  std::string last_reload;  // "" = none yet, else "ok" or the error
};

// A JSON document; its keys are listed in docs/operations.md.
std::string status_json(const StatusInput& input);
// The same for people: a few aligned tables.
std::string status_text(std::string_view json);

}  // namespace portero
