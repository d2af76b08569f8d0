#include "base/log.hpp"

#include <unistd.h>

#include <atomic>
#include <chrono>
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

std::string json_line(LogLevel level, std::string_view event, std::initializer_list<Pair> pairs) {
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
    append_json_escaped(line, pair.value);
    line += '"';
  }
  line += '}';
  return line;
}

std::string console_line(LogLevel level, std::string_view event,
                         std::initializer_list<Pair> pairs) {
  std::string line = fmt::format("{} {:5} {}", timestamp(), level_text(level), event);
  for (const Pair& pair : pairs) {
    line += ' ';
    line += pair.key;
    line += '=';
    const bool quoted =
        pair.value.find_first_of(" \"=\t\r\n") != std::string::npos || pair.value.empty();
    if (quoted) line += '"';
    append_json_escaped(line, pair.value);
    if (quoted) line += '"';
  }
  return line;
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
  std::string line = current_format.load(std::memory_order_relaxed) == Format::json
                         ? json_line(level, event, pairs)
                         : console_line(level, event, pairs);
  if (line.size() > line_bytes_max) line.resize(line_bytes_max);
  if (Sink* sink = current_sink.load()) {
    sink->append(line);
  } else {
    write_stderr(std::move(line));
  }
}

}  // namespace portero::log
