// DocumentRoot: the folder that `root` names, with symlinks resolved, so that PHP sees the release
// and not the link to it: a link that is switched to another release counts from the next
// millisecond on, and PHP's opcode cache never mixes two releases.
// What was seen holds for the loop's current millisecond: a stat() costs 1.8 µs, and a worker that
// is busy would make two of them for every request to the front controller.
// Thread: the worker's. Owner: the handler. Cost: one stat() a millisecond while nothing changes.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portero::proxy {

class DocumentRoot {
 public:
  enum class Found : std::uint8_t { nothing, file, folder };

  explicit DocumentRoot(std::string path) : path_(std::move(path)) {}

  // Looks whether the path still names the same folder, once a millisecond. Call once per request,
  // before the others.
  // Errors: internal, with errno.
  Result<> refresh();
  // "/srv/app/releases/7/public": the folder without symlinks and without a slash at the end.
  const std::string& real_path() const noexcept { return real_path_; }
  const std::string& path() const noexcept { return path_; }
  int fd() const noexcept { return folder_.get(); }

  // What `path` ("/a/b") is below the folder; symlinks are followed. That the folder has no "a" is
  // remembered for the millisecond. Limits: no dot segments, no NUL, which normalise_target() has
  // seen to.
  Found look(std::string_view path);
  // Whether it is a regular file; a yes is remembered for a second.
  bool has_script(std::string_view path);

 private:
  struct Identity {
    std::uint64_t device = 0;
    std::uint64_t inode = 0;
    friend bool operator==(const Identity&, const Identity&) = default;
  };
  enum class Itself : std::uint8_t { unknown, exists, absent };
  // A name directly in the folder below which something was missing.
  struct Missed {
    std::string name;
    Itself itself;
  };
  Result<> reopen();
  // Errors: internal, with errno.
  Result<Found> ask(std::string_view path) const;

  std::string path_;
  std::string real_path_;
  Fd folder_;
  Identity identity_;
  std::int64_t refreshed_ms_ = -1;
  std::int64_t reopen_after_ms_ = 0;
  std::vector<Missed> missed_;                             // since refreshed_ms_
  std::unordered_map<std::string, std::int64_t> scripts_;  // and until when they are known
};

// Whether a root that a client has a say in ("/srv/{host}") stays below what the site file names.
bool is_safe_root(std::string_view path) noexcept;

}  // namespace portero::proxy
