// A log sink that is a file (or stderr): workers append whole lines under a short lock, the writer
// (control, every 200 ms) swaps the buffer out and writes it. A file that is moved away or deleted
// is opened again, so rotation by other tools needs no signal.
// Thread: append() any; flush() one at a time. Limits: buffer_bytes_max; lines beyond are dropped
// and their number is written as soon as there is room.
#pragma once

#include <sys/types.h>

#include <mutex>
#include <optional>
#include <string>

#include "base/fd.hpp"
#include "base/log.hpp"
#include "base/log_roll.hpp"

namespace portero::log {

struct FileSettings {
  mode_t mode = 0640;
  std::optional<gid_t> group;  // nothing: the process's
  std::optional<RollSettings> roll;
};

// The group of that name. Throws std::system_error naming it when there is none.
gid_t group_id(const std::string& name);

class FileSink final : public Sink {
 public:
  static constexpr std::size_t buffer_bytes_max = 4 * 1024 * 1024;

  // Opens `path` for appending, or takes stderr when it is empty; makes its folder if need be.
  // Throws std::system_error naming the path (configuration time only).
  explicit FileSink(std::string path, FileSettings settings = {});
  ~FileSink() override { flush(); }

  void append(std::string_view line) override;
  void flush();
  // What a new configuration wants of the file, from the next flush on.
  void set_settings(const FileSettings& settings);
  const std::string& path() const noexcept { return path_; }

 private:
  void reopen_if_moved();
  void apply_permissions() noexcept;
  void roll_if_due();

  std::string path_;
  FileSettings settings_;
  std::int64_t begun_s_ = 0;
  Fd file_;
  std::mutex mutex_;
  std::string buffer_;
  std::string writing_;
  std::size_t dropped_ = 0;
};

}  // namespace portero::log
