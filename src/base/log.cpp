#include "base/log.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <system_error>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/bytes.hpp"

namespace portero::log {
namespace {

std::atomic<LogLevel> current_level{LogLevel::info};
std::atomic<Format> current_format{Format::console};
std::atomic<Sink*> current_sink{nullptr};

std::string_view level_text(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug: return "debug";
    case LogLevel::info: return "info";
    case LogLevel::warn: return "warn";
    case LogLevel::error: return "error";
    case LogLevel::off: break;
  }
  return "off";
}

std::string timestamp() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(now)), ms.count() % 1000);
}

constexpr std::size_t uncut = std::string_view::npos;
constexpr std::string_view cut_mark = "…";

// The start of a value, without half a character at its end.
std::string_view cut(std::string_view value, std::size_t bytes_max) noexcept {
  if (value.size() <= bytes_max) return value;
  while (bytes_max > 0 && (static_cast<unsigned char>(value[bytes_max]) & 0xc0) == 0x80) {
    --bytes_max;
  }
  return value.substr(0, bytes_max);
}

void append_value(std::string& line, std::string_view value, std::size_t bytes_max) {
  const std::string_view kept = cut(value, bytes_max);
  append_json_escaped(line, kept);
  if (kept.size() < value.size()) line += cut_mark;
}

std::string json_line(LogLevel level, std::string_view event, std::initializer_list<Pair> pairs,
                      std::size_t value_bytes_max) {
  std::string line =
      fmt::format(R"({{"time":"{}","level":"{}","event":")", timestamp(), level_text(level));
  append_json_escaped(line, event);
  line += '"';
  for (const Pair& pair : pairs) {
    line += ",\"";
    append_json_escaped(line, pair.key);
    line += "\":";
    if (pair.is_number) {
      line += pair.value;
      continue;
    }
    line += '"';
    append_value(line, pair.value, value_bytes_max);
    line += '"';
  }
  line += '}';
  return line;
}

std::string console_line(LogLevel level, std::string_view event, std::initializer_list<Pair> pairs,
                         std::size_t value_bytes_max) {
  std::string line = fmt::format("{} {:5} {}", timestamp(), level_text(level), event);
  for (const Pair& pair : pairs) {
    line += ' ';
    line += pair.key;
    line += '=';
    const bool quoted =
        pair.value.find_first_of(" \"=\t\r\n") != std::string::npos || pair.value.empty();
    if (quoted) line += '"';
    append_value(line, pair.value, value_bytes_max);
    if (quoted) line += '"';
  }
  return line;
}

// systemd-journald takes "<N>" at the start of a line for its priority: only where it reads stderr.
// Source: sd-daemon(3), systemd.exec(5) on JOURNAL_STREAM.
bool stderr_is_journal() {
  const char* const stream = std::getenv("JOURNAL_STREAM");
  struct stat info {};
  if (stream == nullptr || ::fstat(STDERR_FILENO, &info) != 0) return false;
  return fmt::format("{}:{}", info.st_dev, info.st_ino) == stream;
}

std::string_view priority_of(LogLevel level) noexcept {
  switch (level) {
    case LogLevel::debug: return "<7>";
    case LogLevel::info: return "<6>";
    case LogLevel::warn: return "<4>";
    case LogLevel::error: return "<3>";
    case LogLevel::off: break;
  }
  return "";
}

// One write() per line: the kernel keeps lines of several threads whole (pipes up to 4 KiB, files
// and terminals always).
void write_stderr(std::string line) {
  line += '\n';
  (void)!::write(STDERR_FILENO, line.data(), line.size());
}

}  // namespace

Pair kv(std::string_view key, const Error& error) {
  std::string text(error.info().text);
  if (error.os_error != 0) {
    text += fmt::format(" ({})", std::generic_category().message(error.os_error));
  }
  return {key, std::move(text)};
}

void set_level(LogLevel level) noexcept { current_level.store(level, std::memory_order_relaxed); }
void set_format(Format format) noexcept { current_format.store(format, std::memory_order_relaxed); }
void set_sink(Sink* sink) noexcept { current_sink.store(sink); }

bool enabled(LogLevel level) noexcept {
  return level >= current_level.load(std::memory_order_relaxed);
}

void write(LogLevel level, std::string_view event, std::initializer_list<Pair> pairs) {
  const auto format_line =
      current_format.load(std::memory_order_relaxed) == Format::json ? &json_line : &console_line;
  std::string line = format_line(level, event, pairs, uncut);
  // Cut inside the values, so that the line stays what its format says.
  for (std::size_t bytes = line_bytes_max; line.size() > line_bytes_max && bytes != 0; bytes /= 2) {
    line = format_line(level, event, pairs, bytes);
  }
  if (Sink* sink = current_sink.load()) {
    sink->append(line);
  } else {
    static const bool has_priority = stderr_is_journal();
    if (has_priority) line.insert(0, priority_of(level));
    write_stderr(std::move(line));
  }
}

}  // namespace portero::log
