#include "base/task.hpp"

#include <array>
#include <cstdlib>
#include <new>

namespace portero::detail {
namespace {

// Size classes of 64 bytes up to 4 KiB; each keeps at most frames_max free frames per thread, so
// that a burst of connections does not pin its memory for ever.
constexpr std::size_t class_bytes = 64;
constexpr std::size_t class_count = 64;
constexpr std::size_t frames_max = 256;

struct FreeFrame {
  FreeFrame* next;
};

struct FramePool {
  std::array<FreeFrame*, class_count> head{};
  std::array<std::size_t, class_count> count{};

  ~FramePool() {
    for (FreeFrame*& list : head) {
      while (list != nullptr) ::operator delete(std::exchange(list, list->next));
    }
  }
};

FramePool& pool() noexcept {
  static thread_local FramePool frames;
  return frames;
}

}  // namespace

void* allocate_frame(std::size_t size) {
  const std::size_t index = (size + class_bytes - 1) / class_bytes - 1;
  if (index >= class_count) return ::operator new(size);
  FramePool& frames = pool();
  if (frames.head[index] == nullptr) return ::operator new((index + 1) * class_bytes);
  --frames.count[index];
  return std::exchange(frames.head[index], frames.head[index]->next);
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = (size + class_bytes - 1) / class_bytes - 1;
  FramePool& frames = pool();
  if (index >= class_count || frames.count[index] >= frames_max) {
    ::operator delete(frame);
    return;
  }
  frames.head[index] = new (frame) FreeFrame{frames.head[index]};
  ++frames.count[index];
}

}  // namespace portero::detail
