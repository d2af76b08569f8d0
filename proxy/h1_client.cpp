#include "proxy/h1_client.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t gathered_bytes_max = 16 * 1024;
constexpr std::size_t read_bytes_first = 16 * 1024;
// A read that fills its room is followed by larger ones.
constexpr std::size_t read_bytes_max = 64 * 1024;

}  // namespace

H1Client::H1Client(UpstreamConnection& connection, http::Exchange& exchange, TimerWheel& timers,
                   Milliseconds patience) noexcept
    : connection_(connection),
      exchange_(exchange),
      timers_(timers),
      patience_(patience),
      write_deadline_(*connection.stream),
      read_bytes_(read_bytes_first),
      wake_([](void* self) { static_cast<UpstreamConnection*>(self)->stream->readable().signal(); },
            &connection) {
  // Whoever waits for the upstream hears when the client leaves.
  exchange_.client_watch = &connection.stream->readable();
}

// --- writing -------------------------------------------------------------------------------------

void H1Client::begin(const http::H1RequestHead& head) {
  PORTERO_ASSERT(connection_.output.empty());
  chunked_ = head.body.kind == http::BodyKind::chunked;
  http::encode_request_head(head, connection_.output);
}

Task<Result<>> H1Client::send_body(Bytes piece) {
  PORTERO_ASSERT(!piece.empty());
  Buffer& output = connection_.output;
  if (gathering_ && output.size() + piece.size() <= gathered_bytes_max) {
    if (chunked_) {
      http::encode_chunk(piece, output);
    } else {
      output.append(piece);
    }
    co_return Result<>();
  }
  if (chunked_) http::encode_chunk_line(piece.size(), output);
  co_return co_await write(piece, chunked_ ? "\r\n" : "");
}

Task<Result<>> H1Client::end_body(std::span<const http::Field> trailers) {
  if (chunked_) http::encode_last_chunk(trailers, connection_.output);
  if (gathering_) co_return Result<>();
  co_return co_await write({}, {});
}

Task<Result<>> H1Client::flush() { return write({}, {}); }

// One writer at a time: when both coroutines have something, the second waits, so pieces leave in
// the order in which they were encoded.
Task<Result<>> H1Client::write(Bytes body, Bytes tail) {
  if (writing_) return write_slowly(body, tail);
  const Result<> written = try_write(body, tail);
  if (written || written.error() != Errc::would_block) return Task<Result<>>::ready(written);
  return write_slowly(body, tail);
}

Task<Result<>> H1Client::write_slowly(Bytes body, Bytes tail) {
  while (writing_) co_await write_free_;
  writing_ = true;
  Result<> written = try_write(body, tail);
  while (!written && written.error() == Errc::would_block) {
    write_deadline_.arm(timers_, patience_, Errc::timeout_response);
    co_await connection_.stream->writable();
    write_deadline_.disarm();
    written = try_write(body, tail);
  }
  writing_ = false;
  if (write_free_.has_waiter()) write_free_.signal();
  co_return written;
}

// Errors: would_block when something is left.
Result<> H1Client::try_write(Bytes& body, Bytes& tail) {
  Buffer& output = connection_.output;
  for (;;) {
    std::array<Bytes, 3> parts;
    std::size_t count = 0;
    for (const Bytes part : {output.readable(), body, tail}) {
      if (!part.empty()) parts[count++] = part;
    }
    if (count == 0) return {};
    const Result<std::size_t> sent = connection_.stream->try_write(std::span(parts).first(count));
    if (!sent) return sent.error();
    bytes_sent_ += *sent;
    std::size_t left = *sent;
    const std::size_t from_output = std::min(left, output.size());
    output.consume(from_output);
    left -= from_output;
    const std::size_t from_body = std::min(left, body.size());
    body.remove_prefix(from_body);
    tail.remove_prefix(left - from_body);
  }
}

// --- reading -------------------------------------------------------------------------------------

void H1Client::expect_within(Milliseconds delay) noexcept {
  answer_due_ms_ = delay.count() == 0 ? 0 : coarse_clock().monotonic_ms + delay.count();
}

void H1Client::restart_patience() noexcept {
  if (answer_due_ms_ != 0) expect_within(patience_);
}

Result<> H1Client::try_fill() {
  const MutableBytes room = connection_.input.prepare(read_bytes_);
  const Result<std::size_t> got = connection_.stream->try_read(room);
  if (!got) return got.error();
  if (*got == 0) return Errc::end_of_stream;
  connection_.input.commit(*got);
  if (*got == room.size()) read_bytes_ = std::min(read_bytes_ * 2, read_bytes_max);
  return {};
}

Task<Result<>> H1Client::fill() {
  for (;;) {
    const Result<> filled = try_fill();
    if (filled || filled.error() != Errc::would_block) co_return filled;
    connection_.input.release();
    const Result<> goes_on = check_patience();
    if (!goes_on) co_return goes_on;
    arm_wake();
    co_await connection_.stream->readable();
    wake_.disarm();
  }
}

Task<Result<>> H1Client::wait() {
  const Result<> goes_on = check_patience();
  if (!goes_on) co_return goes_on;
  arm_wake();
  co_await connection_.stream->readable();
  wake_.disarm();
  co_return check_patience();
}

void H1Client::arm_wake() noexcept {
  if (answer_due_ms_ == 0) return;
  wake_.arm(timers_, Milliseconds(answer_due_ms_ - coarse_clock().monotonic_ms));
}

Result<> H1Client::check_patience() const noexcept {
  if (exchange_.client_gone()) return Errc::cancelled;
  const bool is_late = answer_due_ms_ != 0 && coarse_clock().monotonic_ms >= answer_due_ms_;
  if (is_late) return Errc::timeout_response;
  return {};
}

}  // namespace portero::proxy
