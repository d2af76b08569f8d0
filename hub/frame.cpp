#include "hub/frame.hpp"

#include <cstring>
#include <new>

#include "base/assert.hpp"

namespace portero::hub {
namespace {

constexpr std::size_t objects_per_block = 128;

void store_big_endian(std::uint64_t value, std::size_t bytes, char* to) noexcept {
  for (std::size_t i = 0; i < bytes; ++i) {
    to[i] = static_cast<char>(value >> (8 * (bytes - 1 - i)));
  }
}

}  // namespace

std::size_t encode_frame_header(Opcode opcode, std::size_t payload_size, char* to) noexcept {
  constexpr unsigned fin = 0x80;
  to[0] = static_cast<char>(fin | static_cast<unsigned>(opcode));
  if (payload_size <= 125) {
    to[1] = static_cast<char>(payload_size);
    return 2;
  }
  if (payload_size <= 0xFFFF) {
    to[1] = 126;
    store_big_endian(payload_size, 2, to + 2);
    return 4;
  }
  to[1] = 127;
  store_big_endian(payload_size, 8, to + 2);
  return 10;
}

FrameRef FrameRef::make(Opcode opcode, Bytes payload, std::string_view channel) {
  PORTERO_ASSERT(payload.size() < (std::size_t{1} << 31) && channel.size() < 65'536);
  char header[frame_header_bytes_max];
  const std::size_t header_size = encode_frame_header(opcode, payload.size(), header);
  const std::size_t size = header_size + payload.size();
  void* const storage = ::operator new(sizeof(SharedFrame) + size + channel.size());
  auto* const frame = new (storage) SharedFrame(size, channel.size());
  char* const to = reinterpret_cast<char*>(frame + 1);
  std::memcpy(to, header, header_size);
  if (!payload.empty()) std::memcpy(to + header_size, payload.data(), payload.size());
  if (!channel.empty()) std::memcpy(to + size, channel.data(), channel.size());
  return FrameRef(frame);
}

void FrameRef::release() noexcept {
  if (frame_ == nullptr) return;
  if (frame_->references_.fetch_sub(1, std::memory_order_acq_rel) != 1) return;
  frame_->~SharedFrame();
  ::operator delete(const_cast<SharedFrame*>(frame_));
}

LocalFrame* FramePool::wrap(FrameRef frame) {
  PORTERO_ASSERT(frame);
  if (free_frames_ == nullptr) {
    frame_blocks_.push_back(std::make_unique<LocalFrame[]>(objects_per_block));
    for (std::size_t i = 0; i < objects_per_block; ++i) {
      LocalFrame& fresh = frame_blocks_.back()[i];
      fresh.next_free = std::exchange(free_frames_, &fresh);
    }
  }
  LocalFrame* const local = free_frames_;
  free_frames_ = local->next_free;
  local->bytes = frame->bytes();
  local->shared = std::move(frame);
  return local;
}

void FramePool::free_frame(LocalFrame* frame) noexcept {
  frame->shared = FrameRef();
  frame->next_free = std::exchange(free_frames_, frame);
}

FrameChunk* FramePool::take_chunk() {
  if (free_chunks_ == nullptr) {
    chunk_blocks_.push_back(std::make_unique<FrameChunk[]>(objects_per_block));
    for (std::size_t i = 0; i < objects_per_block; ++i) {
      give_chunk(&chunk_blocks_.back()[i]);
    }
  }
  FrameChunk* const chunk = free_chunks_;
  free_chunks_ = chunk->next;
  chunk->next = nullptr;
  return chunk;
}

void FramePool::give_chunk(FrameChunk* chunk) noexcept {
  chunk->next = std::exchange(free_chunks_, chunk);
}

}  // namespace portero::hub
