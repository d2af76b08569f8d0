// Puts a full log file aside: app.log becomes app.log.20261130T101500Z, is compressed beside all
// else, and the oldest beyond `keep` go.
// Thread: roll_file() one at a time for a path; the compression has a thread of its own.
#pragma once

#include <cstdint>
#include <string>

namespace portero::log {

struct RollSettings {
  std::uint64_t size = 0;  // bytes; 0 = never by size
  std::int64_t age_s = 0;  // 0 = never by age
  unsigned keep = 10;      // old files
  bool compress = true;
};

// Errors: false when the file cannot be renamed; it then goes on growing.
bool roll_file(const std::string& path, const RollSettings& settings);

// When a file was begun, as far as the file system knows. Units: Unix seconds; 0 = not known.
std::int64_t birth_of(const std::string& path);

}  // namespace portero::log
