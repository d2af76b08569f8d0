#include "proxy/file_body.hpp"

#include <sys/sendfile.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/buffer.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t piece_bytes = 64 * 1024;
constexpr std::uint64_t passed_bytes_min = 128 * 1024;
constexpr std::size_t passed_bytes_per_call = 512 * 1024;
// The end of a range takes the ordinary way, with all that a body's end means.
constexpr std::uint64_t tail_bytes = 16 * 1024;

Result<Bytes> read_piece(const OpenFile& file, const ByteRange& range, Buffer& buffer) {
  const auto wanted = static_cast<std::size_t>(std::min<std::uint64_t>(range.count, piece_bytes));
  if (file.has_contents) {
    return Bytes(file.contents).substr(static_cast<std::size_t>(range.first), range.count);
  }
  buffer.clear();
  const MutableBytes room = buffer.prepare(wanted);
  ssize_t got = 0;
  do {
    got = ::pread(file.fd.get(), room.data(), wanted, static_cast<off_t>(range.first));
  } while (got < 0 && errno == EINTR);
  if (got <= 0) return Error(Errc::internal, got < 0 ? errno : EIO);
  return Bytes(room.data(), static_cast<std::size_t>(got));
}

void advance(ByteRange& range, std::size_t bytes) noexcept {
  range.first += bytes;
  range.count -= bytes;
}

// Saves both copies of every byte: 4 MB cost 0.4 of what read and write cost. What the kernel does
// not take this way (TLS, HTTP/2, a filesystem without sendfile) is left for the ordinary one.
Task<Result<>> pass_middle(http::Exchange& exchange, const OpenFile& file, ByteRange& range,
                           FairShare& share, NextTurn& next_turn) {
  const Result<> flushed = co_await exchange.send_body({}, http::Last::no);
  if (!flushed) co_return flushed;
  http::RawBody& raw = *exchange.raw_body;
  const net::ByteStream* const to = raw.begin_raw(range.count - tail_bytes);
  if (to == nullptr) co_return Result<>();
  while (range.count > tail_bytes) {
    auto at = static_cast<off_t>(range.first);
    const std::uint64_t wanted =
        std::min<std::uint64_t>(range.count - tail_bytes, passed_bytes_per_call);
    const ssize_t sent = ::sendfile(to->raw_fd(), file.fd.get(), &at, wanted);
    if (sent > 0) {
      raw.note_raw(static_cast<std::uint64_t>(sent));
      advance(range, static_cast<std::size_t>(sent));
      if (share.spend(static_cast<std::size_t>(sent))) co_await share.next_turn(next_turn);
      continue;
    }
    const int os_error = sent == 0 ? EIO : errno;
    if (os_error == EINTR) continue;
    if (os_error == EINVAL || os_error == ENOSYS) co_return Result<>();
    if (os_error == EIO) co_return Error(Errc::internal, os_error);
    if (os_error != EAGAIN) co_return error_from_errno(os_error);
    const Result<> room = co_await raw.wait_raw();
    if (!room) co_return room;
  }
  co_return Result<>();
}

}  // namespace

Task<Result<>> send_file_bytes(http::Exchange& exchange, const OpenFile& file, ByteRange range,
                               http::Last last, NextTurn& next_turn) {
  if (range.count == 0) co_return co_await exchange.send_body({}, last);
  FairShare share;
  const bool may_pass = !file.has_contents && range.count >= passed_bytes_min &&
                        exchange.raw_body != nullptr && exchange.body_filter == nullptr;
  if (may_pass) {
    const Result<> passed = co_await pass_middle(exchange, file, range, share, next_turn);
    if (!passed) co_return passed;
  }
  Buffer buffer;
  while (range.count != 0) {
    const Result<Bytes> piece = read_piece(file, range, buffer);
    if (!piece) co_return piece.error();
    advance(range, piece->size());
    const http::Last end = range.count == 0 ? last : http::Last::no;
    const Result<> sent = co_await exchange.send_body(*piece, end);
    if (!sent || range.count == 0) co_return sent;
    if (share.spend(piece->size())) co_await share.next_turn(next_turn);
  }
  co_return Result<>();
}

}  // namespace portero::proxy
