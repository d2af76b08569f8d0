#include "base/task.hpp"

#include <array>
#include <cstdlib>
#include <new>

namespace portero::detail {
namespace {

// Size classes of 64 bytes up to 4 KiB. A class keeps what a burst has needed, so that a server
// under load allocates nothing however many streams it has, and trim_frames() lets it go
// afterwards.
constexpr std::size_t class_bytes = 64;
constexpr std::size_t class_count = 64;
constexpr std::size_t pooled_bytes_max = 16 * 1024 * 1024;  // per class and thread
constexpr std::size_t frames_kept = 32;                     // of a class that nobody uses

struct FreeFrame {
  FreeFrame* next;
};

struct FrameClass {
  FreeFrame* head = nullptr;
  std::size_t count = 0;   // free frames
  std::size_t unused = 0;  // the fewest there were since the last trim
};

struct FramePool {
  std::array<FrameClass, class_count> classes{};

  ~FramePool() {
    for (FrameClass& frames : classes) {
      while (frames.head != nullptr) {
        ::operator delete(std::exchange(frames.head, frames.head->next));
      }
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
  FrameClass& frames = pool().classes[index];
  FreeFrame* const frame = frames.head;
  if (frame == nullptr) return ::operator new((index + 1) * class_bytes);
  frames.head = frame->next;
  if (--frames.count < frames.unused) frames.unused = frames.count;
  return frame;
}

void free_frame(void* frame, std::size_t size) noexcept {
  const std::size_t index = (size + class_bytes - 1) / class_bytes - 1;
  if (index >= class_count) {
    ::operator delete(frame);
    return;
  }
  FrameClass& frames = pool().classes[index];
  if (frames.count * (index + 1) * class_bytes >= pooled_bytes_max) {
    ::operator delete(frame);
    return;
  }
  frames.head = new (frame) FreeFrame{frames.head};
  ++frames.count;
}

void trim_frames() noexcept {
  for (FrameClass& frames : pool().classes) {
    std::size_t surplus = frames.unused > frames_kept ? (frames.unused - frames_kept + 1) / 2 : 0;
    frames.count -= surplus;
    for (; surplus > 0; --surplus) {
      ::operator delete(std::exchange(frames.head, frames.head->next));
    }
    frames.unused = frames.count;
  }
}

std::size_t free_frame_count(std::size_t size) noexcept {
  return pool().classes[(size + class_bytes - 1) / class_bytes - 1].count;
}

}  // namespace portero::detail
