#include "proxy/spool.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

#include "base/assert.hpp"

namespace portero::proxy {

// --- the file ------------------------------------------------------------------------------------

// Where the file system cannot make a file without a name, the name goes at once.
Result<> SpoolFile::open() {
  file_ = Fd(::open(folder_.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR));
  if (file_.is_open()) return {};
  std::string name = folder_ + "/spool-XXXXXX";
  file_ = Fd(::mkostemp(name.data(), O_CLOEXEC));
  if (!file_.is_open()) return Error(Errc::internal, errno);
  ::unlink(name.c_str());
  return {};
}

Result<> SpoolFile::write(Bytes bytes, std::uint64_t offset) {
  if (!file_.is_open()) {
    const Result<> opened = open();
    if (!opened) return opened;
  }
  while (!bytes.empty()) {
    const ssize_t written =
        ::pwrite(file_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) return Error(Errc::internal, written < 0 ? errno : ENOSPC);
    offset += static_cast<std::uint64_t>(written);
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  return {};
}

Result<> SpoolFile::read(std::uint64_t offset, std::size_t bytes_max, Buffer& into) const {
  PORTERO_ASSERT(file_.is_open() && bytes_max != 0);
  const MutableBytes room = into.prepare(bytes_max);
  ssize_t got = 0;
  do {
    got = ::pread(file_.get(), room.data(), bytes_max, static_cast<off_t>(offset));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return Error(Errc::internal, got < 0 ? errno : EIO);
  into.commit(static_cast<std::size_t>(got));
  return {};
}

// --- a request body ------------------------------------------------------------------------------

Result<> BodySpool::append(Bytes bytes) {
  if (file_bytes_ == 0) {
    const std::size_t room = spool_memory_max - std::min(memory_.size(), spool_memory_max);
    const Bytes first = bytes.substr(0, room);
    memory_.append(first);
    bytes.remove_prefix(first.size());
  }
  if (bytes.empty()) return {};
  const Result<> written = file_.write(bytes, file_bytes_);
  if (written) file_bytes_ += bytes.size();
  return written;
}

Result<Bytes> BodySpool::read(std::uint64_t offset, Buffer& scratch) const {
  PORTERO_ASSERT(offset < size());
  if (offset < memory_.size()) {
    return memory_.readable().substr(static_cast<std::size_t>(offset), spool_piece_bytes);
  }
  scratch.clear();
  const Result<> got = file_.read(offset - memory_.size(), spool_piece_bytes, scratch);
  if (!got) return got.error();
  return scratch.readable();
}

// --- an answer -----------------------------------------------------------------------------------

Result<> AnswerSpool::append(Bytes bytes) {
  const bool file_in_use = write_at_ != read_at_;
  if (!file_in_use && memory_.size() + bytes.size() <= memory_max_) {
    memory_.append(bytes);
    return {};
  }
  const Result<> written = file_.write(bytes, write_at_);
  if (written) write_at_ += bytes.size();
  return written;
}

Result<Bytes> AnswerSpool::front() {
  PORTERO_ASSERT(!empty());
  if (!shown_.empty()) return shown_.readable();
  if (!memory_.empty()) {
    std::swap(shown_, memory_);
    return shown_.readable();
  }
  const std::uint64_t left = write_at_ - read_at_;
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(left, spool_piece_bytes));
  const Result<> got = file_.read(read_at_, wanted, shown_);
  if (!got) return got.error();
  read_at_ += shown_.size();
  if (read_at_ == write_at_) read_at_ = write_at_ = 0;  // its space is written over
  return shown_.readable();
}

}  // namespace portero::proxy
