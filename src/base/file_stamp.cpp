#include "base/file_stamp.hpp"

#include <sys/stat.h>

namespace portero {

FileStamp FileStamp::of(const std::string& path) {
  FileStamp stamp;
  stamp.path = path;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return stamp;
  stamp.modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  stamp.inode = info.st_ino;
  stamp.size = info.st_size;
  return stamp;
}

}  // namespace portero
