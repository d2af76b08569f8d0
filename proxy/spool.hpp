// Spools: bytes that wait for a slow side, first in memory and beyond that in a temporary file that
// has no name, so that nothing is left behind. Writes go to the page cache, reads come from it: on
// the event loop they cost what copying costs (figures in src/DECISIONS.md).
// Thread: the worker's. Owner: the call that passes the bytes on.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/buffer.hpp"
#include "base/fd.hpp"
#include "base/result.hpp"

namespace portero::proxy {

constexpr std::size_t spool_memory_max = 128 * 1024;
constexpr std::size_t spool_piece_bytes = 64 * 1024;  // read from the file at a time

// A temporary file without a name, made when the first byte is written.
class SpoolFile {
 public:
  // `folder` must outlive the file.
  explicit SpoolFile(const std::string& folder) noexcept : folder_(folder) {}

  // Errors: internal, with errno (no space, a folder that may not be written to).
  Result<> write(Bytes bytes, std::uint64_t offset);
  // Appends up to `bytes_max` bytes from `offset` to `into`. Errors: internal, with errno.
  Result<> read(std::uint64_t offset, std::size_t bytes_max, Buffer& into) const;

 private:
  Result<> open();

  const std::string& folder_;
  Fd file_;
};

// A whole request body: written once, read from any place, as often as the request is tried.
class BodySpool {
 public:
  explicit BodySpool(const std::string& folder) noexcept : file_(folder) {}

  // Errors: as SpoolFile::write.
  Result<> append(Bytes bytes);
  std::uint64_t size() const noexcept { return memory_.size() + file_bytes_; }
  bool in_file() const noexcept { return file_bytes_ != 0; }
  // The bytes from `offset` on, some of them; `scratch` holds those that come from the file.
  // Errors: as SpoolFile::read.
  Result<Bytes> read(std::uint64_t offset, Buffer& scratch) const;

 private:
  Buffer memory_;
  SpoolFile file_;
  std::uint64_t file_bytes_ = 0;
};

// An answer on its way: what is appended at one end is taken at the other, by two coroutines.
class AnswerSpool {
 public:
  // Units: bytes. Beyond `memory_max` the file is used.
  AnswerSpool(const std::string& folder, std::size_t memory_max) noexcept
      : file_(folder), memory_max_(memory_max) {}

  // Errors: as SpoolFile::write.
  Result<> append(Bytes bytes);
  std::uint64_t size() const noexcept {
    return shown_.size() + memory_.size() + (write_at_ - read_at_);
  }
  bool empty() const noexcept { return size() == 0; }
  // The first bytes, some of them; valid until take(), whatever is appended meanwhile.
  // Errors: as SpoolFile::read. Limits: not while empty.
  Result<Bytes> front();
  // Drops the first `count` bytes, which front() has shown.
  void take(std::size_t count) noexcept { shown_.consume(count); }

 private:
  Buffer shown_;    // the first bytes
  Buffer memory_;   // then these
  SpoolFile file_;  // then what is in the file from read_at_ to write_at_
  std::size_t memory_max_;
  std::uint64_t write_at_ = 0;
  std::uint64_t read_at_ = 0;
};

}  // namespace portero::proxy
