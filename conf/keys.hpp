// `portero keys`: new credentials for an application of the hub, printed or written into Laravel's
// .env. Everything else in that file stays as it is, byte for byte.
// Thread: any; writes files, so not a worker's.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace portero::conf {

using EnvLines = std::vector<std::pair<std::string, std::string>>;  // name and value as written

// Makes REVERB_APP_ID (100000 to 999999), REVERB_APP_KEY and REVERB_APP_SECRET (20 letters and
// digits each) from the kernel's random numbers, and VITE_REVERB_APP_KEY, which refers to the key.
// `public_host` is where browsers find the hub; when it is given, VITE_REVERB_HOST, _PORT and
// _SCHEME come with it. Limits: aborts when the kernel has no random numbers.
EnvLines make_keys(std::string_view public_host);

// "NAME=value" lines, each with a newline.
std::string format_keys(const EnvLines& lines);

enum class Overwrite : bool { no, yes };

struct EnvUpdate {
  std::string text;                    // the new content
  std::vector<std::string> conflicts;  // names that have a value already and were not replaced
};

// Puts the lines into a dotenv text: a name that stands there gets its new value in place, with
// what follows it on the line; a new one is appended. The application's id, key and secret are
// replaced only on request when they have a value; VITE_ lines that have one are left alone.
// Pure.
EnvUpdate update_env(std::string_view text, const EnvLines& lines, Overwrite overwrite);

struct EnvWritten {
  bool ok = false;
  std::string message;  // why not, for people
};

// Does update_env to a file, or makes it (mode 0600). The file is replaced as a whole (temporary
// file, fsync, rename) and keeps its mode, and its owner where this user may set it; a symbolic
// link stays one. Refuses, and changes nothing, when there are conflicts.
EnvWritten update_env_file(const std::string& path, const EnvLines& lines, Overwrite overwrite);

}  // namespace portero::conf
