#include "http/h2_memory.hpp"

#include <algorithm>
#include <cstring>
#include <limits>

namespace portero::http {
namespace {

// In front of each block: its size, which the pool wants back and free() does not know.
struct alignas(std::max_align_t) BlockHead {
  std::size_t size;  // without this head
};

void* allocate(std::size_t size, void* /*self*/) {
  if (size > std::numeric_limits<std::size_t>::max() - sizeof(BlockHead)) return nullptr;
  void* const block = portero::detail::allocate_frame(sizeof(BlockHead) + size);
  return new (block) BlockHead{size} + 1;
}

void release(void* memory, void* /*self*/) {
  if (memory == nullptr) return;
  BlockHead* const head = static_cast<BlockHead*>(memory) - 1;
  portero::detail::free_frame(head, sizeof(BlockHead) + head->size);
}

void* allocate_zeroed(std::size_t count, std::size_t size, void* self) {
  if (size != 0 && count > std::numeric_limits<std::size_t>::max() / size) return nullptr;
  void* const memory = allocate(count * size, self);
  if (memory != nullptr) std::memset(memory, 0, count * size);
  return memory;
}

void* reallocate(void* memory, std::size_t size, void* self) {
  void* const grown = allocate(size, self);
  if (memory == nullptr || grown == nullptr) return grown;
  const std::size_t old_size = (static_cast<BlockHead*>(memory) - 1)->size;
  std::memcpy(grown, memory, std::min(old_size, size));
  release(memory, self);
  return grown;
}

}  // namespace

nghttp2_mem* h2_memory() noexcept {
  // nghttp2 copies it; it is not const only because nghttp2's signature is not.
  static nghttp2_mem memory{nullptr, &allocate, &release, &allocate_zeroed, &reallocate};
  return &memory;
}

}  // namespace portero::http
