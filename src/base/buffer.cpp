#include "base/buffer.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <new>
#include <utility>

namespace portero {
namespace {

// Blocks of 512 B, 1, 2 … 64 KiB are pooled; larger ones come from the heap and go back to it. As
// with coroutine frames a class keeps what a burst has needed until trim_buffers() lets it go.
constexpr std::size_t block_bytes_min = 512;
constexpr std::size_t class_count = 8;
constexpr std::size_t block_bytes_max = block_bytes_min << (class_count - 1);
constexpr std::size_t pooled_bytes_max = 16 * 1024 * 1024;  // per class and thread
constexpr std::size_t bytes_kept = 64 * 1024;               // of a class that nobody uses

struct FreeBlock {
  FreeBlock* next;
};

struct BlockClass {
  FreeBlock* head = nullptr;
  std::size_t bytes = 0;   // free
  std::size_t unused = 0;  // the fewest free bytes since the last trim
};

struct BlockPool {
  std::array<BlockClass, class_count> classes{};

  ~BlockPool() {
    for (BlockClass& blocks : classes) {
      while (blocks.head != nullptr) {
        ::operator delete(std::exchange(blocks.head, blocks.head->next));
      }
    }
  }
};

BlockPool& pool() noexcept {
  static thread_local BlockPool blocks;
  return blocks;
}

std::size_t class_of(std::size_t capacity) noexcept {
  return static_cast<std::size_t>(std::bit_width(capacity / block_bytes_min)) - 1;
}

char* allocate_block(std::size_t capacity) {
  if (capacity > block_bytes_max) return static_cast<char*>(::operator new(capacity));
  BlockClass& blocks = pool().classes[class_of(capacity)];
  FreeBlock* const block = blocks.head;
  if (block == nullptr) return static_cast<char*>(::operator new(capacity));
  blocks.head = block->next;
  blocks.bytes -= capacity;
  blocks.unused = std::min(blocks.unused, blocks.bytes);
  return reinterpret_cast<char*>(block);
}

void free_block(char* data, std::size_t capacity) noexcept {
  if (capacity > block_bytes_max) {
    ::operator delete(data);
    return;
  }
  BlockClass& blocks = pool().classes[class_of(capacity)];
  if (blocks.bytes + capacity > pooled_bytes_max) {
    ::operator delete(data);
    return;
  }
  blocks.head = new (data) FreeBlock{blocks.head};
  blocks.bytes += capacity;
}

}  // namespace

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      begin_(std::exchange(other.begin_, 0)),
      end_(std::exchange(other.end_, 0)),
      capacity_(std::exchange(other.capacity_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(begin_, other.begin_);
  std::swap(end_, other.end_);
  std::swap(capacity_, other.capacity_);
  return *this;
}

// Makes room for `count` more bytes.
void Buffer::grow(std::size_t count) {
  const std::size_t used = size();
  if (capacity_ >= used + count && begin_ >= used) {  // moving is cheap: less than half is used
    std::memcpy(data_, data_ + begin_, used);
  } else {
    const std::size_t capacity = std::bit_ceil(std::max(used + count, block_bytes_min));
    char* grown = allocate_block(capacity);
    if (used != 0) std::memcpy(grown, data_ + begin_, used);
    if (data_ != nullptr) free_block(data_, capacity_);
    data_ = grown;
    capacity_ = capacity;
  }
  begin_ = 0;
  end_ = used;
}

void trim_buffers() noexcept {
  std::size_t capacity = block_bytes_min;
  for (BlockClass& blocks : pool().classes) {
    const std::size_t surplus = blocks.unused > bytes_kept ? (blocks.unused - bytes_kept) / 2 : 0;
    for (std::size_t freed = 0; freed < surplus; freed += capacity) {
      ::operator delete(std::exchange(blocks.head, blocks.head->next));
      blocks.bytes -= capacity;
    }
    blocks.unused = blocks.bytes;
    capacity *= 2;
  }
}

std::size_t pooled_buffer_bytes() noexcept {
  std::size_t bytes = 0;
  for (const BlockClass& blocks : pool().classes) bytes += blocks.bytes;
  return bytes;
}

void Buffer::free_storage() noexcept {
  if (data_ == nullptr) return;
  free_block(data_, capacity_);
  data_ = nullptr;
  begin_ = end_ = capacity_ = 0;
}

}  // namespace portero
