#include "proxy/document_root.hpp"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include "base/clock.hpp"

namespace portero::proxy {
namespace {

constexpr std::int64_t remembered_ms = 1'000;
constexpr std::size_t scripts_max = 256;
constexpr std::size_t missed_max = 8;

}  // namespace

bool is_safe_root(std::string_view path) noexcept {
  return path.starts_with('/') && path.find("/../") == std::string_view::npos &&
         !path.ends_with("/..") && path.find('\0') == std::string_view::npos;
}

Result<> DocumentRoot::refresh() {
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  if (now_ms == refreshed_ms_ && folder_.is_open()) return {};
  refreshed_ms_ = now_ms;
  missed_.clear();
  struct stat now {};
  if (::stat(path_.c_str(), &now) != 0) {
    const int os_error = errno;
    folder_ = Fd();
    return Error(Errc::internal, os_error);
  }
  const Identity identity{now.st_dev, now.st_ino};
  // A folder that was renamed is the same, but its path is another: look again now and then.
  const bool is_known = folder_.is_open() && identity == identity_ && now_ms < reopen_after_ms_;
  if (is_known) return {};
  return reopen();
}

Result<> DocumentRoot::reopen() {
  std::array<char, PATH_MAX> real{};
  if (::realpath(path_.c_str(), real.data()) == nullptr) return Error(Errc::internal, errno);
  Fd folder(::open(real.data(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  struct stat opened {};
  if (!folder.is_open() || ::fstat(folder.get(), &opened) != 0) {
    return Error(Errc::internal, errno);
  }
  const Identity identity{opened.st_dev, opened.st_ino};
  if (identity != identity_ || real_path_ != real.data()) scripts_.clear();
  identity_ = identity;
  folder_ = std::move(folder);
  real_path_ = real.data();
  if (real_path_ == "/") real_path_.clear();
  reopen_after_ms_ = coarse_clock().monotonic_ms + remembered_ms;
  return {};
}

Result<DocumentRoot::Found> DocumentRoot::ask(std::string_view path) const {
  std::array<char, PATH_MAX> name;
  if (path.size() >= name.size()) return Error(Errc::internal, ENAMETOOLONG);
  std::memcpy(name.data(), path.data(), path.size());
  name[path.size()] = '\0';
  struct stat found {};
  if (::fstatat(folder_.get(), name.data(), &found, 0) != 0) return Error(Errc::internal, errno);
  if (S_ISREG(found.st_mode)) return Found::file;
  return S_ISDIR(found.st_mode) ? Found::folder : Found::nothing;
}

DocumentRoot::Found DocumentRoot::look(std::string_view path) {
  while (path.starts_with('/')) path.remove_prefix(1);
  if (path.empty()) return Found::folder;
  const std::string_view name = path.substr(0, path.find('/'));
  const auto known = std::find_if(missed_.begin(), missed_.end(),
                                  [&](const Missed& missed) { return missed.name == name; });
  if (known != missed_.end() && known->itself == Itself::absent) return Found::nothing;
  const Result<Found> found = ask(path);
  if (found) return *found;
  if (found.error().os_error != ENOENT) return Found::nothing;
  if (known == missed_.end()) {
    const Itself itself = name == path ? Itself::absent : Itself::unknown;
    if (missed_.size() < missed_max) missed_.push_back({std::string(name), itself});
  } else if (known->itself == Itself::unknown) {
    // The second miss below this name: worth a look whether it is the name itself.
    const Result<Found> first = ask(name);
    known->itself = !first && first.error().os_error == ENOENT ? Itself::absent : Itself::exists;
  }
  return Found::nothing;
}

bool DocumentRoot::has_script(std::string_view path) {
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  const auto known = scripts_.find(std::string(path));
  if (known != scripts_.end() && now_ms < known->second) return true;
  if (look(path) != Found::file) return false;
  if (scripts_.size() >= scripts_max) scripts_.clear();
  scripts_.insert_or_assign(std::string(path), now_ms + remembered_ms);
  return true;
}

}  // namespace portero::proxy
