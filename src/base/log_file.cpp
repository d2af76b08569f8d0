#include "base/log_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>

namespace portero::log {
namespace {

constexpr mode_t file_mode = 0640;

int open_for_append(const std::string& path) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, file_mode);
}

}  // namespace

FileSink::FileSink(std::string path) : path_(std::move(path)) {
  if (path_.empty()) return;
  file_ = Fd(open_for_append(path_));
  if (!file_.is_open()) {
    throw std::system_error(errno, std::generic_category(), "cannot open the log file " + path_);
  }
}

void FileSink::append(std::string_view line) {
  const std::lock_guard lock(mutex_);
  if (buffer_.size() + line.size() > buffer_bytes_max) {
    ++dropped_;
    return;
  }
  buffer_ += line;
  buffer_ += '\n';
}

void FileSink::flush() {
  {
    const std::lock_guard lock(mutex_);
    if (dropped_ != 0) buffer_ += std::to_string(std::exchange(dropped_, 0)) + " lines dropped\n";
    writing_.swap(buffer_);
  }
  if (writing_.empty()) return;
  reopen_if_moved();
  const int fd = path_.empty() ? STDERR_FILENO : file_.get();
  std::string_view rest = writing_;
  while (!rest.empty()) {
    const ssize_t written = ::write(fd, rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) break;  // disk full: these lines are lost, serving goes on
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  writing_.clear();
}

void FileSink::reopen_if_moved() {
  if (path_.empty()) return;
  struct stat by_path {};
  struct stat by_fd {};
  const bool same = ::stat(path_.c_str(), &by_path) == 0 && ::fstat(file_.get(), &by_fd) == 0 &&
                    by_path.st_ino == by_fd.st_ino && by_path.st_dev == by_fd.st_dev;
  if (same) return;
  Fd reopened(open_for_append(path_));
  if (reopened.is_open()) file_ = std::move(reopened);
}

}  // namespace portero::log
