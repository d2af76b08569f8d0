#include "conf/keys.hpp"

#include <fcntl.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <climits>
#include <cstdlib>
#include <cstring>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/fd.hpp"
#include "conf/files.hpp"

namespace portero::conf {
namespace {

constexpr std::size_t credential_characters = 20;
constexpr std::string_view credential_alphabet = "abcdefghijklmnopqrstuvwxyz0123456789";

// A number below `limit`, each as likely as the others.
std::uint32_t random_below(std::uint32_t limit) {
  const std::uint32_t usable = UINT32_MAX - UINT32_MAX % limit;
  while (true) {
    std::uint32_t value = 0;
    const ssize_t count = ::getrandom(&value, sizeof value, 0);
    if (count < 0 && errno == EINTR) continue;
    PORTERO_ASSERT(count == sizeof value);
    if (value < usable) return value % limit;
  }
}

std::string random_credential() {
  std::string out;
  while (out.size() < credential_characters) {
    out +=
        credential_alphabet[random_below(static_cast<std::uint32_t>(credential_alphabet.size()))];
  }
  return out;
}

// One "NAME=value" line of a dotenv text, by offsets.
struct EnvLine {
  std::string_view name;
  std::size_t value_begin = 0;
  std::size_t value_end = 0;  // before a comment and blanks
};

bool parse_env_line(std::string_view text, std::size_t begin, std::size_t end, EnvLine& line) {
  const auto skip_blanks = [&](std::size_t at) {
    while (at < end && (text[at] == ' ' || text[at] == '\t')) ++at;
    return at;
  };
  std::size_t at = skip_blanks(begin);
  if (text.substr(at, end - at).starts_with("export ")) at = skip_blanks(at + 7);
  const std::size_t equals = text.find('=', at);
  if (equals == std::string_view::npos || equals >= end) return false;
  line.name = trim_ows(text.substr(at, equals - at));
  line.value_begin = skip_blanks(equals + 1);
  at = line.value_begin;
  if (at < end && (text[at] == '"' || text[at] == '\'')) {
    const std::size_t close = text.find(text[at], at + 1);
    line.value_end = close == std::string_view::npos || close >= end ? end : close + 1;
    return true;
  }
  line.value_end = std::min(text.find('#', at), end);
  while (line.value_end > at &&
         (text[line.value_end - 1] == ' ' || text[line.value_end - 1] == '\t')) {
    --line.value_end;
  }
  return true;
}

bool has_value(std::string_view text, const EnvLine& line) {
  const std::string_view value = text.substr(line.value_begin, line.value_end - line.value_begin);
  return !value.empty() && value != "\"\"" && value != "''" && value != "null";
}

// Where a name's value stands: the last line counts, as when the file is read.
bool find_line(std::string_view text, std::string_view name, EnvLine& found) {
  bool any = false;
  std::size_t begin = 0;
  while (begin < text.size()) {
    const std::size_t newline = std::min(text.find('\n', begin), text.size());
    std::size_t end = newline;
    if (end > begin && text[end - 1] == '\r') --end;
    EnvLine line;
    if (parse_env_line(text, begin, end, line) && line.name == name) {
      found = line;
      any = true;
    }
    begin = newline + 1;
  }
  return any;
}

std::string error_text(std::string_view doing, const std::string& path) {
  return fmt::format("{} {}: {}", doing, path, std::strerror(errno));
}

bool write_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::write(fd, text.data(), text.size());
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return false;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
  return true;
}

// The file that a path leads to, so that a symbolic link is kept.
std::string real_path(const std::string& path) {
  std::array<char, PATH_MAX> buffer{};
  return ::realpath(path.c_str(), buffer.data()) == nullptr ? path : std::string(buffer.data());
}

void sync_folder(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : path.substr(0, slash + 1);
  const Fd fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.is_open()) ::fsync(fd.get());
}

// Errors: the message; "" when the file has been replaced.
std::string replace_file(const std::string& path, std::string_view text, const struct stat* old) {
  std::string temporary = path + ".XXXXXX";
  const Fd fd(::mkostemp(temporary.data(), O_CLOEXEC));
  if (!fd.is_open()) return error_text("cannot write beside", path);
  const mode_t mode = old == nullptr ? 0600 : old->st_mode & 07777;
  // The owner is kept where this user may; a file of www-data stays readable for it that way.
  const bool owned = old == nullptr || ::fchown(fd.get(), old->st_uid, old->st_gid) == 0 ||
                     old->st_uid == ::geteuid();
  const bool done = owned && write_all(fd.get(), text) && ::fchmod(fd.get(), mode) == 0 &&
                    ::fsync(fd.get()) == 0 && ::rename(temporary.c_str(), path.c_str()) == 0;
  if (done) {
    sync_folder(path);
    return {};
  }
  std::string message = error_text("cannot replace", path);
  ::unlink(temporary.c_str());
  return message;
}

}  // namespace

EnvLines make_keys(std::string_view public_host) {
  EnvLines lines = {{"REVERB_APP_ID", std::to_string(100'000 + random_below(900'000))},
                    {"REVERB_APP_KEY", random_credential()},
                    {"REVERB_APP_SECRET", random_credential()},
                    {"VITE_REVERB_APP_KEY", "\"${REVERB_APP_KEY}\""}};
  if (public_host.empty()) return lines;
  lines.emplace_back("VITE_REVERB_HOST", std::string(public_host));
  lines.emplace_back("VITE_REVERB_PORT", "443");
  lines.emplace_back("VITE_REVERB_SCHEME", "https");
  return lines;
}

std::string format_keys(const EnvLines& lines) {
  std::string out;
  for (const auto& [name, value] : lines) out += fmt::format("{}={}\n", name, value);
  return out;
}

EnvUpdate update_env(std::string_view text, const EnvLines& lines, Overwrite overwrite) {
  EnvUpdate update{std::string(text), {}};
  const std::string_view newline = text.find("\r\n") == std::string_view::npos ? "\n" : "\r\n";
  std::string appended;
  for (const auto& [name, value] : lines) {
    EnvLine line;
    if (!find_line(update.text, name, line)) {
      appended += fmt::format("{}={}{}", name, value, newline);
      continue;
    }
    const bool is_vite = name.starts_with("VITE_");
    if (has_value(update.text, line)) {
      if (is_vite) continue;
      if (overwrite == Overwrite::no) {
        update.conflicts.push_back(name);
        continue;
      }
    }
    update.text.replace(line.value_begin, line.value_end - line.value_begin, value);
  }
  if (appended.empty()) return update;
  if (!update.text.empty() && update.text.back() != '\n') update.text += newline;
  if (!update.text.empty()) update.text += newline;
  update.text += appended;
  return update;
}

EnvWritten update_env_file(const std::string& path, const EnvLines& lines, Overwrite overwrite) {
  const std::string target = real_path(path);
  struct stat status {};
  const bool exists = ::stat(target.c_str(), &status) == 0;
  std::string old;
  if (exists) {
    Parsed<std::string> text = disk_files().read(target);
    if (!text) return {false, fmt::format("{}: {}", path, text.error().message)};
    old = std::move(*text);
  }
  const EnvUpdate update = update_env(old, lines, overwrite);
  if (!update.conflicts.empty()) {
    return {false, fmt::format("{} has {} already; nothing was changed (--replace overwrites them)",
                               path, fmt::join(update.conflicts, ", "))};
  }
  std::string message = replace_file(target, update.text, exists ? &status : nullptr);
  return {message.empty(), std::move(message)};
}

}  // namespace portero::conf
