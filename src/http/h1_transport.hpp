// What the exchanges of one HTTP/1 connection share: the stream, the bytes read ahead, the bytes
// not written yet, and how long the client may keep us waiting.
// Thread: the worker of the connection. Owner: serve_h1's frame.
#pragma once

#include "base/buffer.hpp"
#include "base/timer_wheel.hpp"
#include "http/timeouts.hpp"
#include "net/byte_stream.hpp"

namespace portero::http {

// A deadline for reading that leaves the stream usable, so that a late client can be told (408).
class ReadDeadline {
 public:
  explicit ReadDeadline(net::ByteStream& stream) noexcept
      : stream_(stream), timer_(&expire, this) {}

  void arm(TimerWheel& timers, Milliseconds delay, Errc why) noexcept {
    why_ = why;
    expired_ = false;
    timer_.arm(timers, delay);
  }
  void disarm() noexcept {
    timer_.disarm();
    expired_ = false;
  }
  // Ends a wait now, as if the time were over.
  void expire_now(Errc why) noexcept {
    why_ = why;
    expire(this);
  }
  // What arm() was told, once the time is over; else ok.
  Errc failure() const noexcept { return expired_ ? why_ : Errc::ok; }

 private:
  static void expire(void* self) {
    auto* deadline = static_cast<ReadDeadline*>(self);
    deadline->expired_ = true;
    deadline->stream_.readable().signal();
  }

  net::ByteStream& stream_;
  Timer timer_;
  Errc why_ = Errc::ok;
  bool expired_ = false;
};

// Body bytes on their way out without being copied, behind what `output` holds.
struct H1Pieces {
  Bytes body;
  Bytes tail;
};

class H1Transport {
 public:
  H1Transport(net::ByteStream& stream, TimerWheel& timers, const Timeouts& timeouts,
              Buffer& input) noexcept;

  // Reads once into `input`, without waiting.
  // Errors: would_block, end_of_stream (also the orderly end), what the read deadline says once it
  //   has passed, as ByteStream::try_read.
  Result<> try_fill(std::size_t room);
  // Reads at least one byte; an empty `input` holds no storage while it waits. Errors: as above,
  // without would_block. Whoever calls it has armed the read deadline.
  Task<Result<>> fill(std::size_t room);
  void arm_read(Milliseconds delay, Errc why) noexcept { read_deadline_.arm(timers_, delay, why); }
  void disarm_read() noexcept { read_deadline_.disarm(); }
  // Makes the fill() that waits return `why`; the stream stays as it is.
  void stop_read(Errc why) noexcept { read_deadline_.expire_now(why); }

  // Writes `output`, then the pieces, as far as the stream takes them; cuts off what was taken.
  // Errors: would_block when something is left, as ByteStream::try_write.
  Result<> try_write(H1Pieces& pieces);
  // Writes all of it; `patience` is how long it may make no progress.
  // Errors: timeout_write, as ByteStream::try_write.
  Task<Result<>> write(H1Pieces pieces, Milliseconds patience);

  // Waits until the stream takes more. Errors: timeout_write, as ByteStream::try_write.
  Task<Result<>> wait_writable(Milliseconds patience);

  net::ByteStream& stream() noexcept { return stream_; }
  const Timeouts& timeouts() const noexcept { return timeouts_; }

  Buffer& input;
  Buffer output;

 private:
  net::ByteStream& stream_;
  TimerWheel& timers_;
  const Timeouts& timeouts_;
  ReadDeadline read_deadline_;
  net::Deadline write_deadline_;
};

}  // namespace portero::http
