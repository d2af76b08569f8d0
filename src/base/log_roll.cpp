#include "base/log_roll.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <filesystem>
#include <system_error>
#include <thread>
#include <vector>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/fd.hpp"

namespace portero::log {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view packed_ending = ".gz";
constexpr std::string_view unfinished_ending = ".gz.part";

// With the permissions of the file that is packed. Leaves that alone when anything fails.
void compress_file(const std::string& path) {
  const std::string unfinished = path + std::string(unfinished_ending);
  const Fd from(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  struct stat info {};
  if (!from.is_open() || ::fstat(from.get(), &info) != 0) return;
  const int to = ::open(unfinished.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (to < 0) return;
  bool done = ::fchmod(to, info.st_mode & 0777) == 0;
  (void)!::fchown(to, static_cast<uid_t>(-1), info.st_gid);
  gzFile packed = ::gzdopen(to, "wb6");
  if (packed == nullptr) {
    ::close(to);
    return;
  }
  std::array<char, 64 * 1024> piece;
  while (done) {
    const ssize_t got = ::read(from.get(), piece.data(), piece.size());
    if (got <= 0) {
      done = got == 0;
      break;
    }
    done = ::gzwrite(packed, piece.data(), static_cast<unsigned>(got)) == got;
  }
  done = ::gzclose(packed) == Z_OK && done;
  const std::string finished = path + std::string(packed_ending);
  if (done && ::rename(unfinished.c_str(), finished.c_str()) == 0) {
    ::unlink(path.c_str());
  } else {
    ::unlink(unfinished.c_str());
  }
}

// Old files of a log, the oldest first: their names sort by time.
std::vector<fs::path> old_files(const fs::path& log) {
  std::vector<fs::path> found;
  std::error_code error;
  const std::string prefix = log.filename().string() + ".2";  // of a year
  for (const fs::directory_entry& entry : fs::directory_iterator(log.parent_path(), error)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with(prefix) && !name.ends_with(unfinished_ending)) {
      found.push_back(entry.path());
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

std::string aside_name(const std::string& path, std::chrono::system_clock::time_point when) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(when.time_since_epoch());
  return fmt::format("{}.{:%Y%m%dT%H%M%S}.{:03}Z", path,
                     fmt::gmtime(std::chrono::system_clock::to_time_t(when)), ms.count() % 1000);
}

// A name behind those of all old files, also when several come in a moment or the clock was set
// back.
std::string free_name(const std::string& path) {
  constexpr int steps_max = 1'000;
  const std::vector<fs::path> old = old_files(path);
  std::string newest = old.empty() ? std::string() : old.back().string();
  if (newest.ends_with(packed_ending)) newest.resize(newest.size() - packed_ending.size());
  auto now = std::chrono::system_clock::now();
  for (int i = 0; i < steps_max; ++i, now += std::chrono::milliseconds(1)) {
    std::string name = aside_name(path, now);
    if (name > newest) return name;
  }
  return newest + "+";
}

}  // namespace

bool roll_file(const std::string& path, const RollSettings& settings) {
  std::error_code error;
  const std::string aside = free_name(path);
  if (::rename(path.c_str(), aside.c_str()) != 0) return false;
  const std::vector<fs::path> old = old_files(path);
  for (std::size_t i = 0; i + settings.keep < old.size(); ++i) fs::remove(old[i], error);
  if (!settings.compress || settings.keep == 0) return true;
  try {
    std::thread(&compress_file, aside).detach();
  } catch (const std::system_error&) {
    return true;  // it stays as it is
  }
  return true;
}

std::int64_t birth_of(const std::string& path) {
  struct statx info {};
  if (::statx(AT_FDCWD, path.c_str(), 0, STATX_BTIME, &info) != 0) return 0;
  return (info.stx_mask & STATX_BTIME) != 0 ? info.stx_btime.tv_sec : 0;
}

}  // namespace portero::log
