#include "proxy/open_below.hpp"

#include <fcntl.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstring>
#include <optional>
#include <string>

namespace portero::proxy {
namespace {

// Without O_NONBLOCK a pipe would stop the worker.
constexpr int read_flags = O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC;
// A rename in another process can make the kernel ask for another try.
constexpr int tries_max = 8;

Result<Fd> open_at(int folder, std::string_view path, std::uint64_t resolve) {
  std::array<char, PATH_MAX> name;
  if (path.size() >= name.size()) return Error(Errc::internal, ENAMETOOLONG);
  std::memcpy(name.data(), path.data(), path.size());
  name[path.size()] = '\0';
  open_how how{};
  how.flags = read_flags;
  how.resolve = resolve | RESOLVE_NO_MAGICLINKS;
  for (int i = 0; i < tries_max; ++i) {
    const long fd = ::syscall(SYS_openat2, folder, name.data(), &how, sizeof how);
    if (fd >= 0) return Fd(static_cast<int>(fd));
    if (errno != EAGAIN && errno != EINTR) break;
  }
  return Error(Errc::internal, errno);
}

// Goes along a path part by part and looks at each symlink before it is followed. What was looked
// at is held by a descriptor, so nobody can put another thing in its place meanwhile.
class Walk {
 public:
  Walk(int folder, std::string_view path) : rest_(path) {
    at_ = Fd(::openat(folder, ".", O_PATH | O_DIRECTORY | O_CLOEXEC));
    struct stat found {};
    if (at_.is_open() && ::fstat(at_.get(), &found) == 0) owner_ = found.st_uid;
  }

  Result<Fd> run() {
    if (!at_.is_open()) return Error(Errc::internal, errno);
    for (;;) {
      const std::string part = take_part();
      if (part.empty()) return Error(Errc::internal, EISDIR);
      const bool is_last = rest_.find_first_not_of('/') == std::string::npos;
      const int flags = is_last ? read_flags : O_PATH | O_DIRECTORY | O_CLOEXEC;
      Fd next(::openat(at_.get(), part.c_str(), flags | O_NOFOLLOW));
      if (next.is_open() && is_last) return next;
      if (next.is_open()) {
        at_ = std::move(next);
        continue;
      }
      // The kernel says so of a symlink where none may be, but not only then.
      const int os_error = errno;
      if (os_error != ELOOP && os_error != ENOTDIR) return Error(Errc::internal, os_error);
      const Result<> followed = follow(part, os_error);
      if (!followed) return followed.error();
    }
  }

 private:
  std::string take_part() {
    const std::size_t begin = std::min(rest_.find_first_not_of('/'), rest_.size());
    const std::size_t end = std::min(rest_.find('/', begin), rest_.size());
    std::string part = rest_.substr(begin, end - begin);
    rest_.erase(0, end);
    return part;
  }

  // Puts what the symlink says in front of what is left.
  Result<> follow(const std::string& part, int os_error) {
    const Fd link(::openat(at_.get(), part.c_str(), O_PATH | O_NOFOLLOW | O_CLOEXEC));
    struct stat found {};
    if (!link.is_open() || ::fstat(link.get(), &found) != 0) return Error(Errc::internal, errno);
    if (!S_ISLNK(found.st_mode)) return Error(Errc::internal, os_error);
    if (found.st_uid != 0 && found.st_uid != owner_) return Error(Errc::internal, EXDEV);
    std::array<char, PATH_MAX> text;
    const ssize_t size = ::readlinkat(link.get(), "", text.data(), text.size());
    if (size <= 0) return Error(Errc::internal, size < 0 ? errno : ENOENT);
    const std::string_view target(text.data(), static_cast<std::size_t>(size));
    if (++links_ > links_max || target.size() + rest_.size() >= PATH_MAX) {
      return Error(Errc::internal, ELOOP);
    }
    rest_.insert(0, target);
    if (!target.starts_with('/')) return {};
    at_ = Fd(::open("/", O_PATH | O_DIRECTORY | O_CLOEXEC));
    return at_.is_open() ? Result<>() : Result<>(Error(Errc::internal, errno));
  }

  Fd at_;
  std::string rest_;
  std::optional<uid_t> owner_;
  int links_ = 0;
};

}  // namespace

Result<Fd> open_below(int folder, std::string_view path, Symlinks symlinks) {
  while (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty()) return Error(Errc::internal, EISDIR);
  if (path.find('\0') != std::string_view::npos) return Error(Errc::internal, ENOENT);
  Result<Fd> opened = open_at(folder, path, symlinks == Symlinks::any ? 0 : RESOLVE_BENEATH);
  const bool leads_out = !opened && opened.error().os_error == EXDEV;
  if (leads_out && symlinks == Symlinks::of_owner) opened = Walk(folder, path).run();
  if (!opened) return opened;
  struct stat found {};
  if (::fstat(opened->get(), &found) != 0) return Error(Errc::internal, errno);
  if (S_ISDIR(found.st_mode)) return Error(Errc::internal, EISDIR);
  if (!S_ISREG(found.st_mode)) return Error(Errc::internal, ENOENT);
  return opened;
}

}  // namespace portero::proxy
