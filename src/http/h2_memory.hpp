// Memory of HTTP/2: objects of connections and streams come from the per-thread frame pool, so a
// warm connection serves streams without malloc. Thread: the worker that uses it.
#pragma once

#include <cstddef>

#include <nghttp2/nghttp2.h>

#include "base/task.hpp"

namespace portero::http {

// Base of a class whose objects come from the frame pool.
struct FromFramePool {
  static void* operator new(std::size_t size) { return detail::allocate_frame(size); }
  static void operator delete(void* object, std::size_t size) noexcept {
    detail::free_frame(object, size);
  }
};

// The allocator that nghttp2 is given: the frame pool behind malloc's face.
nghttp2_mem* h2_memory() noexcept;

}  // namespace portero::http
