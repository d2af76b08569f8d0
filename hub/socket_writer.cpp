#include "hub/socket_writer.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"

namespace portero::hub {
namespace {

constexpr std::size_t scratch_bytes = 32 * 1024;
static_assert(scratch_bytes >= copied_frame_bytes_max);

}  // namespace

Task<> SocketWriter::finish(SendQueue& queue) {
  if (!congested_ && !outbox_.empty()) queue.flush(*this);
  while (congested_) co_await caught_up_;
}

Task<> SocketWriter::write_as_room_comes(SendQueue& queue) {
  while (!queue.write_all_now(*this) && stream_->failure() == Errc::ok) {
    co_await stream_->writable();
  }
  congested_ = false;
  caught_up_.signal();
}

SendQueue::SendQueue(void (*on_overflow)(void* self, SocketWriter& socket), void* self)
    : scratch_(std::make_unique<char[]>(scratch_bytes)),
      turn_end_([](void* queue) { static_cast<SendQueue*>(queue)->flush_dirty(); }, this),
      on_overflow_(on_overflow),
      self_(self) {}

void SendQueue::push_last(SocketWriter& socket, FrameRef frame) {
  if (socket.outbox_.bytes() > outbox_bytes_max) socket.outbox_.drop_unsent(pool_);
  LocalFrame* const local = wrap(std::move(frame));
  socket.outbox_.push(local, pool_);
  if (socket.dirty_slot_ == 0 && !socket.congested_) mark_dirty(socket);
}

void SendQueue::mark_dirty(SocketWriter& socket) {
  dirty_.push_back(&socket);
  socket.dirty_slot_ = static_cast<std::uint32_t>(dirty_.size());
  turn_end_.schedule();
}

bool SendQueue::make_room(SocketWriter& socket) {
  // A turn may bring more than the limit to a socket that reads well: try before judging it.
  if (!socket.congested_) flush(socket);
  if (socket.outbox_.bytes() <= outbox_bytes_max) return true;
  if (!socket.overflowed_) {
    socket.overflowed_ = true;
    overflowed_.push_back(&socket);
    turn_end_.schedule();
  }
  return false;
}

void SendQueue::flush(SocketWriter& socket) {
  if (socket.congested_ || write_all_now(socket)) return;
  socket.congested_ = true;
  socket.last_progress_ = deciseconds_now();
  spawn(socket.write_as_room_comes(*this));
}

bool SendQueue::write_all_now(SocketWriter& socket) {
  PORTERO_ASSERT(socket.stream_ != nullptr);
  while (!socket.outbox_.empty()) {
    std::array<Bytes, pieces_per_write_max> pieces;
    const std::size_t count = socket.outbox_.gather(pieces, {scratch_.get(), scratch_bytes});
    const Result<std::size_t> sent =
        socket.stream_->try_write(std::span<const Bytes>(pieces.data(), count));
    if (!sent) {
      // The reading side ends when its stream is cancelled, and takes this side with it.
      if (sent.error().code != Errc::would_block) socket.stream_->cancel(sent.error().code);
      return false;
    }
    socket.outbox_.consume(*sent, pool_);
    socket.last_progress_ = deciseconds_now();
  }
  return true;
}

void SendQueue::flush_dirty() {
  // Closing an overflowed socket takes it out of its channels, which sends frames to others.
  for (std::size_t i = 0; i < overflowed_.size(); ++i) {
    if (overflowed_[i] != nullptr) on_overflow_(self_, *overflowed_[i]);
  }
  overflowed_.clear();
  for (std::size_t i = 0; i < dirty_.size(); ++i) {
    SocketWriter* const socket = dirty_[i];
    if (socket == nullptr) continue;
    socket->dirty_slot_ = 0;
    flush(*socket);
  }
  dirty_.clear();
}

void SendQueue::forget(SocketWriter& socket) noexcept {
  PORTERO_ASSERT(!socket.congested_);
  if (socket.dirty_slot_ != 0) dirty_[socket.dirty_slot_ - 1] = nullptr;
  socket.dirty_slot_ = 0;
  if (socket.overflowed_)
    std::replace(overflowed_.begin(), overflowed_.end(), &socket,
                 static_cast<SocketWriter*>(nullptr));
  socket.outbox_.clear(pool_);
}

}  // namespace portero::hub
