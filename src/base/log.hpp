// Structured log lines: a dotted event name, then key-value pairs.
//
//   log::warn("upstream.connect_failed", log::kv("upstream", name), log::kv("error", error));
//
// The level is tested before anything is formatted. A line goes into the calling thread's buffer;
// the writer thread writes it out (stderr by default). Text is JSON or console, as configured.
// Secrets are wrapped in log::Secret, which prints "***".
// Thread: any. Limits: line_bytes_max (values are cut and end with "…"); a full buffer drops lines
// and says how many.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/error.hpp"

namespace portero::log {

enum class Format : std::uint8_t { console, json };

struct Secret {
  std::string_view value;  // never printed
};

struct Pair {
  std::string_view key;
  std::string value;
  bool is_number = false;
};

inline Pair kv(std::string_view key, std::string_view value) { return {key, std::string(value)}; }
inline Pair kv(std::string_view key, const char* value) { return {key, std::string(value)}; }
inline Pair kv(std::string_view key, const std::string& value) { return {key, value}; }
inline Pair kv(std::string_view key, Secret) { return {key, "***"}; }
inline Pair kv(std::string_view key, bool value) { return {key, value ? "true" : "false", true}; }
template <class T>
requires std::is_arithmetic_v<T> Pair kv(std::string_view key, T value) {
  return {key, std::to_string(value), true};
}
Pair kv(std::string_view key, const Error& error);

constexpr std::size_t line_bytes_max = 16 * 1024;

// Set by configuration; read by every thread (relaxed atomics).
void set_level(LogLevel level) noexcept;
void set_format(Format format) noexcept;
bool enabled(LogLevel level) noexcept;

void write(LogLevel level, std::string_view event, std::initializer_list<Pair> pairs);

// A place that lines go to: stderr or an access log file. Opened by control, shared by workers.
// append() never blocks: lines are buffered per sink and written by the writer thread.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual void append(std::string_view line) = 0;  // one whole line without its newline
};

// Replaces stderr as the target of write(); for tests. nullptr restores stderr.
void set_sink(Sink* sink) noexcept;

template <class... Pairs>
void debug(std::string_view event, const Pairs&... pairs) {
  if (enabled(LogLevel::debug)) write(LogLevel::debug, event, {pairs...});
}
template <class... Pairs>
void info(std::string_view event, const Pairs&... pairs) {
  if (enabled(LogLevel::info)) write(LogLevel::info, event, {pairs...});
}
template <class... Pairs>
void warn(std::string_view event, const Pairs&... pairs) {
  if (enabled(LogLevel::warn)) write(LogLevel::warn, event, {pairs...});
}
template <class... Pairs>
void error(std::string_view event, const Pairs&... pairs) {
  if (enabled(LogLevel::error)) write(LogLevel::error, event, {pairs...});
}

}  // namespace portero::log
