// A bump allocator for what lives exactly as long as one Exchange: views of the request, fields
// that handlers add, formatted text. reset() keeps the first block for the next request of a
// keep-alive connection.
// Thread: owner's. Limits: whoever parses into it bounds the input (header_bytes_max).
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <string_view>
#include <type_traits>

namespace portero {

class Arena {
 public:
  Arena() noexcept = default;
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;
  ~Arena() { free_blocks(nullptr); }

  // Returns `size` bytes, aligned to a power of two. They are never freed one by one.
  void* allocate(std::size_t size, std::size_t alignment = alignof(std::max_align_t)) {
    const std::size_t gap = -reinterpret_cast<std::uintptr_t>(at_) & (alignment - 1);
    const auto room = static_cast<std::size_t>(end_ - at_);
    if (at_ == nullptr || room < gap || room - gap < size) return allocate_anew(size, alignment);
    char* const start = at_ + gap;
    at_ = start + size;
    return start;
  }

  template <class T>
  T* allocate_array(std::size_t count) {
    static_assert(std::is_trivially_destructible_v<T>);
    return static_cast<T*>(allocate(sizeof(T) * count, alignof(T)));
  }

  std::string_view copy(std::string_view text) {
    if (text.empty()) return {};
    char* to = static_cast<char*>(allocate(text.size(), 1));
    std::memcpy(to, text.data(), text.size());
    return {to, text.size()};
  }

  // Joins pieces into one text.
  template <class... Pieces>
  std::string_view concat(const Pieces&... pieces) {
    const std::size_t size = (std::string_view(pieces).size() + ...);
    char* const to = static_cast<char*>(allocate(size, 1));
    char* at = to;
    ((at = append_piece(at, std::string_view(pieces))), ...);
    return {to, size};
  }

  // Forgets everything; keeps one block.
  void reset() noexcept;

 private:
  struct Block {
    Block* next;
    std::size_t size;  // of the whole block
  };

  static char* append_piece(char* to, std::string_view piece) noexcept {
    if (!piece.empty()) std::memcpy(to, piece.data(), piece.size());
    return to + piece.size();
  }
  void* allocate_anew(std::size_t size, std::size_t alignment);
  void free_blocks(Block* keep) noexcept;

  Block* blocks_ = nullptr;  // newest first
  char* at_ = nullptr;
  char* end_ = nullptr;
};

}  // namespace portero
