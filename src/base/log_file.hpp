// A log sink that is a file (or stderr): workers append whole lines under a short lock, the writer
// (control, every 200 ms) swaps the buffer out and writes it. A file that is moved away or deleted
// is opened again, so rotation by other tools needs no signal.
// Thread: append() any; flush() one at a time. Limits: buffer_bytes_max; lines beyond are dropped
// and their number is written as soon as there is room.
#pragma once

#include <mutex>
#include <string>

#include "base/fd.hpp"
#include "base/log.hpp"

namespace portero::log {

class FileSink final : public Sink {
 public:
  static constexpr std::size_t buffer_bytes_max = 4 * 1024 * 1024;

  // Opens `path` for appending (created 0640), or takes stderr when it is empty.
  // Throws std::system_error naming the path (configuration time only).
  explicit FileSink(std::string path);
  ~FileSink() override { flush(); }

  void append(std::string_view line) override;
  void flush();
  const std::string& path() const noexcept { return path_; }

 private:
  void reopen_if_moved();

  std::string path_;
  Fd file_;
  std::mutex mutex_;
  std::string buffer_;
  std::string writing_;
  std::size_t dropped_ = 0;
};

}  // namespace portero::log
