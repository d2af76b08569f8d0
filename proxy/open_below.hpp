// Opens a file below a folder, and says which symlinks may lead where.
// Thread: any; blocks as long as the file system does.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portero::proxy {

// Which symlinks below a folder are followed.
enum class Symlinks : std::uint8_t {
  inside,    // those that stay below it
  of_owner,  // also those that belong to root or to the folder's owner: Laravel's public/storage
  any,
};

// Opens a regular file for reading. `path` is relative to `folder`, whatever slashes it begins
// with. Errors: internal, with errno: ENOENT, EXDEV (a symlink leads out), EACCES, ELOOP, EISDIR
// (no
//   regular file), … Limits: PATH_MAX, links_max symlinks.
// Cost: one system call, and about three for each part of the path when a symlink leads out.
Result<Fd> open_below(int folder, std::string_view path, Symlinks symlinks);

constexpr int links_max = 40;  // as the kernel's

}  // namespace portero::proxy
