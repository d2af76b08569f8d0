// The writing half of a hub socket. Frames are queued while a turn of the loop runs; at its end
// every socket that got some is written to once, whatever its number of frames (SendQueue). Only a
// socket whose peer does not keep up gets a coroutine of its own, which waits for room.
//
//   queue.push(socket, frame);   // any number of times in a turn
//   ...                          // turn's end: one try_write per dirty socket
//
// Thread: the socket's worker. Limits: outbox_bytes_max queued bytes (and one frame) per socket.
#pragma once

#include <memory>
#include <vector>

#include "base/run_queue.hpp"
#include "base/task.hpp"
#include "hub/deciseconds.hpp"
#include "hub/outbox.hpp"
#include "net/byte_stream.hpp"

namespace portero::hub {

constexpr std::size_t outbox_bytes_max = 1024 * 1024;

class SendQueue;

class SocketWriter {
 public:
  SocketWriter() noexcept = default;
  SocketWriter(const SocketWriter&) = delete;
  SocketWriter& operator=(const SocketWriter&) = delete;

  // Bytes that wait to be sent.
  std::size_t queued_bytes() const noexcept { return outbox_.bytes(); }
  // The peer has stopped reading and a coroutine waits for it.
  bool congested() const noexcept { return congested_; }
  // For how long a congested socket has taken nothing; 0 when it is not congested.
  Deciseconds blocked_for(Deciseconds now) const noexcept {
    return congested_ ? now - last_progress_ : 0;
  }
  // Returns when nothing is queued any more or the stream has failed.
  Task<> finish(SendQueue& queue);

 protected:
  ~SocketWriter() = default;
  // Not owned: the session's run() owns it and calls finish() before it ends.
  net::ByteStream* stream_ = nullptr;

 private:
  friend class SendQueue;
  Task<> write_as_room_comes(SendQueue& queue);

  Outbox outbox_;
  WaitPoint caught_up_;
  std::uint32_t dirty_slot_ = 0;   // index + 1 in the queue's list; 0 = not in it
  Deciseconds last_progress_ = 0;  // of writing; meaningful while congested
  bool congested_ = false;
  bool overflowed_ = false;
};

class SendQueue {
 public:
  // `on_overflow` is called at a turn's end for each socket that was over its limit; it closes it.
  SendQueue(void (*on_overflow)(void* self, SocketWriter& socket), void* self);
  SendQueue(const SendQueue&) = delete;
  SendQueue& operator=(const SendQueue&) = delete;

  // Wraps a frame for push(); give it back with retire() when it may not have been pushed.
  LocalFrame* wrap(FrameRef frame) { return pool_.wrap(std::move(frame)); }
  void retire(LocalFrame* frame) noexcept { pool_.retire(frame); }

  // Queues a frame. Never closes, destroys or unsubscribes anything: a list of sockets may be
  // walked around it. A socket over its limit takes no more frames.
  void push(SocketWriter& socket, LocalFrame* frame) {
    if (socket.outbox_.bytes() > outbox_bytes_max && !make_room(socket)) return;
    socket.outbox_.push(frame, pool_);
    if (socket.dirty_slot_ == 0 && !socket.congested_) mark_dirty(socket);
  }
  void push(SocketWriter& socket, FrameRef frame) {
    LocalFrame* const local = wrap(std::move(frame));
    push(socket, local);
    retire(local);
  }
  // Replaces everything not yet begun by one last frame and lifts the limit for it.
  void push_last(SocketWriter& socket, FrameRef frame);
  // Writes now instead of at the turn's end.
  void flush(SocketWriter& socket);
  // Forgets a socket and what it has queued.
  void forget(SocketWriter& socket) noexcept;

 private:
  friend class SocketWriter;

  void mark_dirty(SocketWriter& socket);
  bool make_room(SocketWriter& socket);  // false: over the limit
  // Writes until all is sent (true) or the stream takes no more or fails (false).
  bool write_all_now(SocketWriter& socket);
  void flush_dirty();

  FramePool pool_;
  std::unique_ptr<char[]> scratch_;
  std::vector<SocketWriter*> dirty_;  // entries of forgotten sockets are nullptr
  std::vector<SocketWriter*> overflowed_;
  TurnEnd turn_end_;
  void (*on_overflow_)(void*, SocketWriter&);
  void* self_;
};

}  // namespace portero::hub
