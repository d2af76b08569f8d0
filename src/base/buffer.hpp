// A growable byte queue: bytes are appended at the back and consumed at the front. Storage comes
// from a per-thread pool of blocks and goes back as soon as the buffer is empty and release() is
// called, so an idle connection holds none.
// Thread: owner's. Limits: none of its own; whoever fills it checks size() against a named limit.
#pragma once

#include <cstddef>
#include <cstring>

#include "base/assert.hpp"
#include "base/bytes.hpp"

namespace portero {

class Buffer {
 public:
  Buffer() noexcept = default;
  Buffer(Buffer&& other) noexcept;
  Buffer& operator=(Buffer&& other) noexcept;
  ~Buffer() { free_storage(); }

  Bytes readable() const noexcept { return {data_ + begin_, end_ - begin_}; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }
  std::size_t capacity() const noexcept { return capacity_; }

  // Drops the first `count` bytes. Views of the rest stay valid until the next prepare/append.
  void consume(std::size_t count) noexcept {
    PORTERO_ASSERT(count <= size());
    begin_ += count;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Makes room for at least `count` more bytes and returns all the room there is.
  MutableBytes prepare(std::size_t count) {
    if (capacity_ - end_ < count) grow(count);
    return {data_ + end_, capacity_ - end_};
  }
  // Declares that `count` bytes of what prepare() returned were filled.
  void commit(std::size_t count) noexcept {
    PORTERO_ASSERT(count <= capacity_ - end_);
    end_ += count;
  }
  void append(Bytes bytes) {
    if (bytes.empty()) return;
    std::memcpy(prepare(bytes.size()).data(), bytes.data(), bytes.size());
    end_ += bytes.size();
  }
  void append(char byte) { append(Bytes(&byte, 1)); }
  void clear() noexcept { begin_ = end_ = 0; }
  // Gives the storage back if nothing is in it.
  void release() noexcept {
    if (empty()) free_storage();
  }

 private:
  void grow(std::size_t count);
  void free_storage() noexcept;

  char* data_ = nullptr;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::size_t capacity_ = 0;
};

// Gives back to the heap half of the pooled storage that nobody has used since the last call.
void trim_buffers() noexcept;
std::size_t pooled_buffer_bytes() noexcept;

}  // namespace portero
