#include "base/arena.hpp"

#include <algorithm>
#include <new>
#include <utility>

#include "base/task.hpp"

namespace portero {
namespace {

// The first block serves a common request whole (about 1.5 kB of fields and added text) and fits
// the frame pool's largest class, from which it comes.
constexpr std::size_t block_bytes = 4096;

}  // namespace

// In a new block.
void* Arena::allocate_anew(std::size_t size, std::size_t alignment) {
  const std::size_t bytes = std::max(block_bytes, sizeof(Block) + size + alignment);
  void* memory = detail::allocate_frame(bytes);
  blocks_ = new (memory) Block{blocks_, bytes};
  at_ = static_cast<char*>(memory) + sizeof(Block);
  end_ = static_cast<char*>(memory) + bytes;
  return allocate(size, alignment);
}

void Arena::reset() noexcept {
  if (blocks_ == nullptr) return;
  Block* oldest = blocks_;
  while (oldest->next != nullptr) oldest = oldest->next;
  free_blocks(oldest);
  at_ = reinterpret_cast<char*>(oldest) + sizeof(Block);
  end_ = reinterpret_cast<char*>(oldest) + oldest->size;
}

void Arena::free_blocks(Block* keep) noexcept {
  while (blocks_ != keep) {
    Block* block = std::exchange(blocks_, blocks_->next);
    detail::free_frame(block, block->size);
  }
}

}  // namespace portero
