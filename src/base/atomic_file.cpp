#include "base/atomic_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <system_error>

#include "base/fd.hpp"

namespace portero {
namespace {

[[noreturn]] void fail(const char* what, const std::string& path, int os_error = errno) {
  throw std::system_error(os_error, std::generic_category(), std::string(what) + " " + path);
}

std::string directory_of(const std::string& path) {
  const std::string directory = std::filesystem::path(path).parent_path();
  return directory.empty() ? "." : directory;
}

void write_all(int fd, std::string_view content, const std::string& path) {
  while (!content.empty()) {
    const ssize_t written = ::write(fd, content.data(), content.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) fail("cannot write", path);
    content.remove_prefix(static_cast<std::size_t>(written));
  }
}

void sync_directory(const std::string& directory) {
  const Fd fd(::open(directory.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd.is_open() || ::fsync(fd.get()) != 0) fail("cannot sync", directory);
}

// Removes the temporary file unless it was renamed into place.
class TemporaryFile {
 public:
  TemporaryFile(const std::string& directory, const std::string& target)
      : path_(directory + "/.portero-XXXXXX"), fd_(::mkostemp(path_.data(), O_CLOEXEC)) {
    if (!fd_.is_open()) fail("cannot create a file beside", target);
  }
  TemporaryFile(const TemporaryFile&) = delete;
  TemporaryFile& operator=(const TemporaryFile&) = delete;
  ~TemporaryFile() {
    if (!path_.empty()) ::unlink(path_.c_str());
  }

  int fd() const noexcept { return fd_.get(); }
  void rename_to(const std::string& target) {
    if (::rename(path_.c_str(), target.c_str()) != 0) fail("cannot replace", target);
    path_.clear();
  }

 private:
  std::string path_;
  Fd fd_;
};

}  // namespace

void write_file_atomically(const std::string& path, std::string_view content, mode_t mode) {
  const std::string directory = directory_of(path);
  TemporaryFile temporary(directory, path);
  if (::fchmod(temporary.fd(), mode) != 0) fail("cannot set the mode of", path);
  write_all(temporary.fd(), content, path);
  if (::fsync(temporary.fd()) != 0) fail("cannot sync", path);
  temporary.rename_to(path);
  sync_directory(directory);
}

std::optional<std::string> read_file(const std::string& path) {
  const Fd fd(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  if (!fd.is_open() && errno == ENOENT) return std::nullopt;
  if (!fd.is_open()) fail("cannot open", path);
  std::string content;
  char block[16 * 1024];
  for (;;) {
    const ssize_t got = ::read(fd.get(), block, sizeof block);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail("cannot read", path);
    if (got == 0) return content;
    content.append(block, static_cast<std::size_t>(got));
    if (content.size() > file_bytes_max) fail("cannot read", path, EFBIG);
  }
}

void make_directories(const std::string& path, mode_t mode) {
  if (std::filesystem::is_directory(path)) return;
  const std::string parent = std::filesystem::path(path).parent_path();
  if (!parent.empty() && parent != path) make_directories(parent, mode);
  if (::mkdir(path.c_str(), mode) == 0) {
    if (::chmod(path.c_str(), mode) != 0) fail("cannot set the mode of", path);
  } else if (errno != EEXIST) {
    fail("cannot create", path);
  }
}

}  // namespace portero
