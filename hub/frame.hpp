// Frames on their way to clients, encoded once and shared by every socket that gets them.
//
//   SharedFrame   the immutable bytes (WebSocket header and payload); crosses threads; one atomic
//                 reference per worker
//   LocalFrame    one worker's handle to it, counted without atomics: what sockets queue
//   FramePool     where a worker's LocalFrames and queue chunks come from: nothing is allocated per
//                 delivery once it is warm
//
// Thread: FrameRef any; LocalFrame and FramePool their worker. Source of the header: RFC 6455 §5.2.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.hpp"

namespace portero::hub {

enum class Opcode : std::uint8_t {
  continuation = 0,
  text = 1,
  binary = 2,
  close = 8,
  ping = 9,
  pong = 10
};

// Writes the header of an unmasked final frame; returns its length, at most frame_header_bytes_max.
constexpr std::size_t frame_header_bytes_max = 10;
std::size_t encode_frame_header(Opcode opcode, std::size_t payload_size, char* to) noexcept;

// The bytes of a frame and the channel it is for ("" when it is an answer to one socket).
class SharedFrame {
 public:
  Bytes bytes() const noexcept { return {data(), size_}; }
  std::string_view channel() const noexcept { return {data() + size_, channel_size_}; }

 private:
  friend class FrameRef;
  SharedFrame(std::size_t size, std::size_t channel_size) noexcept
      : size_(static_cast<std::uint32_t>(size)),
        channel_size_(static_cast<std::uint32_t>(channel_size)) {}
  const char* data() const noexcept { return reinterpret_cast<const char*>(this + 1); }

  mutable std::atomic<std::uint32_t> references_{1};
  std::uint32_t size_;
  std::uint32_t channel_size_;
};

// A counted reference to a SharedFrame; may be empty.
class FrameRef {
 public:
  FrameRef() noexcept = default;
  FrameRef(const FrameRef& other) noexcept : frame_(other.frame_) {
    if (frame_ != nullptr) frame_->references_.fetch_add(1, std::memory_order_relaxed);
  }
  FrameRef(FrameRef&& other) noexcept : frame_(std::exchange(other.frame_, nullptr)) {}
  FrameRef& operator=(FrameRef other) noexcept {
    std::swap(frame_, other.frame_);
    return *this;
  }
  ~FrameRef() { release(); }

  // Encodes a frame. Limits: payload and channel below 2^31 bytes.
  static FrameRef make(Opcode opcode, Bytes payload, std::string_view channel = {});

  explicit operator bool() const noexcept { return frame_ != nullptr; }
  const SharedFrame& operator*() const noexcept { return *frame_; }
  const SharedFrame* operator->() const noexcept { return frame_; }

 private:
  explicit FrameRef(const SharedFrame* frame) noexcept : frame_(frame) {}
  void release() noexcept;

  const SharedFrame* frame_ = nullptr;
};

// One worker's handle to a frame.
struct LocalFrame {
  FrameRef shared;
  Bytes bytes;  // of `shared`
  std::uint32_t references = 0;
  LocalFrame* next_free = nullptr;
};

// A piece of a socket's queue: 64 bytes, one cache line.
struct FrameChunk {
  static constexpr std::size_t frames_max = 7;
  FrameChunk* next = nullptr;
  LocalFrame* frames[frames_max];
};
static_assert(sizeof(FrameChunk) == 64);

class FramePool {
 public:
  FramePool() noexcept = default;
  FramePool(const FramePool&) = delete;
  FramePool& operator=(const FramePool&) = delete;

  // The handle has no references yet: queue it, or give it back by retire().
  LocalFrame* wrap(FrameRef frame);
  // Frees a handle that nobody has queued.
  void retire(LocalFrame* frame) noexcept {
    if (frame->references == 0) free_frame(frame);
  }
  void release(LocalFrame* frame) noexcept {
    if (--frame->references == 0) free_frame(frame);
  }
  FrameChunk* take_chunk();
  void give_chunk(FrameChunk* chunk) noexcept;

 private:
  void free_frame(LocalFrame* frame) noexcept;

  // Storage grows to the largest number ever in use at once and stays: bounded by what the outbox
  // limits let sockets hold.
  std::vector<std::unique_ptr<LocalFrame[]>> frame_blocks_;
  std::vector<std::unique_ptr<FrameChunk[]>> chunk_blocks_;
  LocalFrame* free_frames_ = nullptr;
  FrameChunk* free_chunks_ = nullptr;
};

}  // namespace portero::hub
