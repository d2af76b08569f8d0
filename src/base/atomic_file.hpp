// Small files that must never be seen half written: certificates, keys, state.
// Thread: control and its jobs (it waits for the disk).
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <string_view>

namespace portero {

// Replaces `path`: a temporary file beside it is written, synced and renamed over it, then the
// directory is synced. After a crash there is the old content or the new, nothing between.
// Throws std::system_error naming the path.
void write_file_atomically(const std::string& path, std::string_view content, mode_t mode);

// Reads a whole file; nullopt when there is none. Throws std::system_error naming the path.
// Limits: file_bytes_max.
std::optional<std::string> read_file(const std::string& path);
constexpr std::size_t file_bytes_max = 16 * 1024 * 1024;

// Makes a directory and its parents; those that it makes have `mode`, whatever the umask.
// Throws std::system_error naming the path.
void make_directories(const std::string& path, mode_t mode = 0700);

}  // namespace portero
