// FileStamp: a file as it was when it was read; a difference means that it has changed.
// Thread: any.
#pragma once

#include <cstdint>
#include <string>

namespace portero {

struct FileStamp {
  std::string path;
  std::int64_t modified_ns = 0;
  std::uint64_t inode = 0;
  std::int64_t size = -1;  // -1: not there

  static FileStamp of(const std::string& path);
  friend bool operator==(const FileStamp&, const FileStamp&) = default;
};

}  // namespace portero
