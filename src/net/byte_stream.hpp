// ByteStream: a connection's bytes, whatever carries them (TCP, unix socket, TLS, a tunnelled
// HTTP/2 stream, a fake in tests). Reading and writing never wait; waiting is separate and names
// its direction, so codecs stay synchronous and a coroutine suspends only when it must:
//
//   Result<std::size_t> got = stream.try_read(room);
//   if (!got && got.error() == Errc::would_block) co_await stream.readable();
//
// or, where the loop around it is not special, the helpers read_some() and write_all() below.
//
// Stopping: cancel(why) makes every wait that is under way or still to come return, and every later
// try_read/try_write fail with `why`. Deadlines, shutdown and the other half of a tunnel use it.
// Thread: one worker. At most one coroutine waits per direction.
#pragma once

#include <span>

#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/run_queue.hpp"
#include "base/task.hpp"
#include "base/timer_wheel.hpp"

namespace portero::net {

class ByteStream {
 public:
  ByteStream() noexcept = default;
  ByteStream(const ByteStream&) = delete;
  ByteStream& operator=(const ByteStream&) = delete;
  virtual ~ByteStream() = default;

  // Reads what is there. Returns 0 at the peer's orderly end.
  // Errors: would_block, connection_reset, tls_protocol, end_of_stream (TLS cut without
  // close_notify), what cancel() said.
  virtual Result<std::size_t> try_read(MutableBytes into) = 0;
  // Writes as much as is taken now, from the parts in order; returns the count of bytes taken.
  // Errors: would_block (nothing was taken), connection_reset, tls_protocol, what cancel() said.
  virtual Result<std::size_t> try_write(std::span<const Bytes> parts) = 0;
  // Ends our half: FIN, for TLS after close_notify. Best effort, never waits.
  virtual void shutdown_write() noexcept = 0;
  // The peer is known to be gone (reset or fully closed): work for it may be given up.
  virtual bool peer_gone() const noexcept = 0;

  // Awaitable: returns when try_read (try_write) is worth calling again.
  WaitPoint& readable() noexcept { return readable_; }
  WaitPoint& writable() noexcept { return writable_; }

  void cancel(Errc why) noexcept {
    if (failure_ == Errc::ok) failure_ = why;
    readable_.signal();
    writable_.signal();
  }
  // What cancel() was called with first; ok if it was not.
  Errc failure() const noexcept { return failure_; }

 private:
  WaitPoint readable_;
  WaitPoint writable_;
  Errc failure_ = Errc::ok;
};

// Reads at least one byte; 0 at the end. Errors: as try_read, without would_block.
Task<Result<std::size_t>> read_some(ByteStream& stream, MutableBytes into);
// Writes everything. Errors: as try_write, without would_block.
Task<Result<>> write_all(ByteStream& stream, Bytes data);

// Cancels a stream when a phase of its work takes too long. One per stream is enough: phases follow
// each other, and arming again replaces what was armed.
class Deadline {
 public:
  explicit Deadline(ByteStream& stream) noexcept : stream_(stream), timer_(&expire, this) {}

  // Limits: `why` is one of the timeout errors.
  void arm(TimerWheel& wheel, Milliseconds delay, Errc why) noexcept {
    why_ = why;
    timer_.arm(wheel, delay);
  }
  void disarm() noexcept { timer_.disarm(); }

 private:
  static void expire(void* self) {
    auto* deadline = static_cast<Deadline*>(self);
    deadline->stream_.cancel(deadline->why_);
  }

  ByteStream& stream_;
  Timer timer_;
  Errc why_ = Errc::ok;
};

}  // namespace portero::net
