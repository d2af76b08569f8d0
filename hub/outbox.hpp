// Outbox: the frames a socket has yet to send, in order. Holds no memory while it is empty.
// Thread: the socket's worker. Limits: none here; Socket checks bytes().
#pragma once

#include <span>

#include "hub/frame.hpp"

namespace portero::hub {

// What one write hands over: pieces, some of which lie in a scratch buffer.
constexpr std::size_t pieces_per_write_max = 64;
constexpr std::size_t copied_frame_bytes_max = 2048;  // larger frames are handed over in place

class Outbox {
 public:
  Outbox() noexcept = default;
  Outbox(const Outbox&) = delete;
  Outbox& operator=(const Outbox&) = delete;
  ~Outbox();  // must have been cleared

  bool empty() const noexcept { return count_ == 0; }
  std::size_t count() const noexcept { return count_; }
  // Bytes still to send, whatever is shared.
  std::size_t bytes() const noexcept { return bytes_; }

  void push(LocalFrame* frame, FramePool& pool);
  // Fills `pieces` from the front of the queue, joining small frames in `scratch`; returns how many
  // pieces there are. A lone frame is never copied.
  std::size_t gather(std::span<Bytes> pieces, MutableBytes scratch) const noexcept;
  // Drops what was sent from the front.
  void consume(std::size_t sent, FramePool& pool) noexcept;
  // Drops every frame of which nothing has been sent yet.
  void drop_unsent(FramePool& pool) noexcept;
  void clear(FramePool& pool) noexcept;

 private:
  void pop_front(FramePool& pool) noexcept;

  FrameChunk* head_ = nullptr;
  FrameChunk* tail_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint32_t sent_of_first_ = 0;
  std::uint32_t count_ = 0;
  std::uint8_t first_ = 0;  // index in head_
  std::uint8_t end_ = 0;    // index behind the last in tail_
};

}  // namespace portero::hub
