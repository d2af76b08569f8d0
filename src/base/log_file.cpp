#include "base/log_file.hpp"

#include <fcntl.h>
#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <filesystem>
#include <system_error>

#include "base/atomic_file.hpp"

namespace portero::log {
namespace {

int open_for_append(const std::string& path, mode_t mode) {
  return ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, mode);
}

// Makes the folder of a log, open to those who may read the log.
void make_folder(const std::string& path, const FileSettings& settings) {
  const std::string folder = std::filesystem::path(path).parent_path();
  const mode_t readers = settings.mode & (S_IRGRP | S_IROTH);
  make_directories(folder, S_IRWXU | readers | readers >> 2);
  if (settings.group) (void)!::chown(folder.c_str(), static_cast<uid_t>(-1), *settings.group);
}

std::int64_t unix_seconds() {
  return std::chrono::duration_cast<std::chrono::seconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

}  // namespace

gid_t group_id(const std::string& name) {
  errno = 0;
  const group* const found = ::getgrnam(name.c_str());
  if (found == nullptr) {
    throw std::system_error(errno == 0 ? ENOENT : errno, std::generic_category(),
                            "there is no group \"" + name + "\"");
  }
  return found->gr_gid;
}

FileSink::FileSink(std::string path, FileSettings settings)
    : path_(std::move(path)), settings_(std::move(settings)) {
  if (path_.empty()) return;
  file_ = Fd(open_for_append(path_, settings_.mode));
  if (!file_.is_open() && errno == ENOENT) {
    make_folder(path_, settings_);
    file_ = Fd(open_for_append(path_, settings_.mode));
  }
  if (!file_.is_open()) {
    throw std::system_error(errno, std::generic_category(), "cannot open the log file " + path_);
  }
  apply_permissions();
  begun_s_ = birth_of(path_);
  if (begun_s_ == 0) begun_s_ = unix_seconds();
}

void FileSink::set_settings(const FileSettings& settings) {
  settings_ = settings;
  if (!path_.empty()) apply_permissions();
}

// Past the umask; a file of somebody else's keeps what it has.
void FileSink::apply_permissions() noexcept {
  (void)!::fchmod(file_.get(), settings_.mode);
  if (settings_.group) (void)!::fchown(file_.get(), static_cast<uid_t>(-1), *settings_.group);
}

void FileSink::roll_if_due() {
  if (!settings_.roll || path_.empty()) return;
  const RollSettings& roll = *settings_.roll;
  struct stat info {};
  if (::fstat(file_.get(), &info) != 0 || info.st_size == 0) return;
  const bool is_full = roll.size != 0 && static_cast<std::uint64_t>(info.st_size) >= roll.size;
  const bool is_old = roll.age_s != 0 && unix_seconds() - begun_s_ >= roll.age_s;
  if ((is_full || is_old) && roll_file(path_, roll)) reopen_if_moved();
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
  if (writing_.empty()) {
    roll_if_due();
    return;
  }
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
  roll_if_due();
}

void FileSink::reopen_if_moved() {
  if (path_.empty()) return;
  struct stat by_path {};
  struct stat by_fd {};
  const bool same = ::stat(path_.c_str(), &by_path) == 0 && ::fstat(file_.get(), &by_fd) == 0 &&
                    by_path.st_ino == by_fd.st_ino && by_path.st_dev == by_fd.st_dev;
  if (same) return;
  Fd reopened(open_for_append(path_, settings_.mode));
  if (!reopened.is_open()) return;
  file_ = std::move(reopened);
  apply_permissions();
  begun_s_ = unix_seconds();
}

}  // namespace portero::log
