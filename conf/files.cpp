#include "conf/files.hpp"

#include <fcntl.h>
#include <fnmatch.h>
#include <glob.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/fd.hpp"

namespace portero::conf {
namespace {

UnitError reason(int os_error) {
  if (os_error == ENOENT) return {"no such file", ""};
  if (os_error == EACCES) return {"may not be read by this user", ""};
  return {std::strerror(os_error), ""};
}

class DiskFiles final : public FileSource {
 public:
  Parsed<std::string> read(const std::string& path) const override {
    // Non-blocking: opening a FIFO must not hang.
    const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
    if (fd.get() < 0) return reason(errno);
    struct stat status {};
    if (::fstat(fd.get(), &status) != 0) return reason(errno);
    if (S_ISDIR(status.st_mode)) return UnitError{"is a folder, not a file", ""};
    if (!S_ISREG(status.st_mode)) return UnitError{"is not a regular file", ""};
    std::string text;
    std::string piece(64 * 1024, '\0');
    while (true) {
      const ssize_t count = ::read(fd.get(), piece.data(), piece.size());
      if (count < 0 && errno == EINTR) continue;
      if (count < 0) return reason(errno);
      if (count == 0) return text;
      text.append(piece, 0, static_cast<std::size_t>(count));
      if (text.size() > file_bytes_max) return UnitError{"is larger than 4 MiB", ""};
    }
  }

  std::vector<std::string> glob(const std::string& pattern) const override {
    glob_t found{};
    std::vector<std::string> paths;
    if (::glob(pattern.c_str(), GLOB_NOSORT, nullptr, &found) == 0) {
      paths.assign(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    }
    ::globfree(&found);
    std::sort(paths.begin(), paths.end());
    return paths;
  }
};

}  // namespace

const FileSource& disk_files() {
  static const DiskFiles files;
  return files;
}

Parsed<std::string> MemoryFiles::read(const std::string& path) const {
  const auto file = files_.find(path);
  if (file == files_.end()) return UnitError{"no such file", ""};
  return file->second;
}

std::vector<std::string> MemoryFiles::glob(const std::string& pattern) const {
  std::vector<std::string> paths;
  for (const auto& [path, text] : files_) {
    if (::fnmatch(pattern.c_str(), path.c_str(), FNM_PATHNAME | FNM_PERIOD) == 0) {
      paths.push_back(path);
    }
  }
  return paths;
}

std::string resolve_path(std::string_view file, std::string_view path) {
  const std::size_t slash = file.rfind('/');
  if (path.starts_with('/') || slash == std::string_view::npos) return std::string(path);
  std::string out(file.substr(0, slash + 1));
  while (path.starts_with("./")) path.remove_prefix(2);
  return out.append(path);
}

}  // namespace portero::conf
