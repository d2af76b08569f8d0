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

#include <algorithm>
#include <span>

#include "base/bytes.hpp"
#include "base/clock.hpp"
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
  // The socket, if the stream's bytes are its bytes; -1 for TLS.
  virtual int raw_fd() const noexcept { return -1; }

  // Awaitable: returns when try_read (try_write) is worth calling again.
  WaitPoint& readable() noexcept { return readable_; }
  WaitPoint& writable() noexcept { return writable_; }

  void cancel(Errc why) noexcept {
    if (failure_ == Errc::ok) failure_ = why;
    readable_.signal();
    writable_.signal();
    signal_watch();
  }
  // What cancel() was called with first; ok if it was not.
  Errc failure() const noexcept { return failure_; }

  // When the peer ended its sending side (its FIN was reported, whether or not it has been read);
  // 0 = it has not. Units: ms of the coarse clock.
  std::int64_t peer_ended_ms() const noexcept { return peer_ended_ms_; }
  // Signals the point in `slot`, if there is one, when the peer ends its side, is gone, or the
  // stream is cancelled: for somebody who waits elsewhere and works for that peer. One slot at a
  // time; nullptr = none. The slot outlives its registration.
  void watch_peer(WaitPoint* const* slot) noexcept { peer_watch_ = slot; }
  // The stream's end becomes a reset: for a transfer that would look complete if it ended orderly.
  void reset_at_end() noexcept { reset_at_end_ = true; }

 protected:
  void note_peer_end() noexcept {
    if (peer_ended_ms_ == 0) peer_ended_ms_ = std::max<std::int64_t>(1, now_ms());
    signal_watch();
  }
  bool is_reset_at_end() const noexcept { return reset_at_end_; }

 private:
  static std::int64_t now_ms() noexcept { return coarse_clock().monotonic_ms; }
  void signal_watch() noexcept {
    if (peer_watch_ != nullptr && *peer_watch_ != nullptr) (*peer_watch_)->signal();
  }

  WaitPoint readable_;
  WaitPoint writable_;
  WaitPoint* const* peer_watch_ = nullptr;
  std::int64_t peer_ended_ms_ = 0;
  Errc failure_ = Errc::ok;
  bool reset_at_end_ = false;
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
