#include "hub/outbox.hpp"

#include <cstring>

#include "base/assert.hpp"

namespace portero::hub {

Outbox::~Outbox() { PORTERO_ASSERT(head_ == nullptr); }

void Outbox::push(LocalFrame* frame, FramePool& pool) {
  if (tail_ == nullptr) {
    head_ = tail_ = pool.take_chunk();
    first_ = end_ = 0;
  } else if (end_ == FrameChunk::frames_max) {
    tail_->next = pool.take_chunk();
    tail_ = tail_->next;
    end_ = 0;
  }
  tail_->frames[end_++] = frame;
  ++frame->references;
  ++count_;
  bytes_ += frame->bytes.size();
}

std::size_t Outbox::gather(std::span<Bytes> pieces, MutableBytes scratch) const noexcept {
  std::size_t used = 0;       // of pieces
  std::size_t filled = 0;     // of scratch
  std::size_t run_begin = 0;  // where the run of copied frames starts in scratch
  const FrameChunk* chunk = head_;
  std::size_t index = first_;
  for (std::size_t i = 0; i < count_; ++i, ++index) {
    if (index == FrameChunk::frames_max) {
      chunk = chunk->next;
      index = 0;
    }
    Bytes bytes = chunk->frames[index]->bytes;
    if (i == 0) bytes.remove_prefix(sent_of_first_);
    const bool copied = count_ > 1 && bytes.size() < copied_frame_bytes_max;
    if (copied && filled + bytes.size() > scratch.size()) break;
    // One piece for this frame, one for the run of copies before it.
    if (!copied && used + 2 > pieces.size()) break;
    if (copied) {
      std::memcpy(scratch.data() + filled, bytes.data(), bytes.size());
      filled += bytes.size();
      continue;
    }
    if (filled > run_begin) pieces[used++] = {scratch.data() + run_begin, filled - run_begin};
    run_begin = filled;
    pieces[used++] = bytes;
  }
  if (filled > run_begin) pieces[used++] = {scratch.data() + run_begin, filled - run_begin};
  return used;
}

void Outbox::consume(std::size_t sent, FramePool& pool) noexcept {
  PORTERO_ASSERT(sent <= bytes_);
  while (sent > 0) {
    const std::size_t left = head_->frames[first_]->bytes.size() - sent_of_first_;
    if (sent < left) {
      sent_of_first_ += static_cast<std::uint32_t>(sent);
      bytes_ -= sent;
      return;
    }
    sent -= left;
    pop_front(pool);
  }
}

void Outbox::pop_front(FramePool& pool) noexcept {
  LocalFrame* const frame = head_->frames[first_];
  bytes_ -= frame->bytes.size() - sent_of_first_;
  sent_of_first_ = 0;
  pool.release(frame);
  --count_;
  ++first_;
  if (count_ == 0 || first_ == FrameChunk::frames_max) {
    FrameChunk* const done = head_;
    head_ = head_->next;
    first_ = 0;
    pool.give_chunk(done);
  }
  if (count_ == 0) head_ = tail_ = nullptr;
}

void Outbox::drop_unsent(FramePool& pool) noexcept {
  if (sent_of_first_ == 0) return clear(pool);
  LocalFrame* const first = head_->frames[first_];
  const std::uint32_t sent = sent_of_first_;
  ++first->references;
  clear(pool);
  push(first, pool);
  pool.release(first);
  sent_of_first_ = sent;
  bytes_ -= sent;
}

void Outbox::clear(FramePool& pool) noexcept {
  while (count_ > 0) pop_front(pool);
}

}  // namespace portero::hub
