// Counters of one worker. Written by the worker alone, read by control for `status` and metrics:
// relaxed atomics with plain stores, so counting costs an ordinary add.
// Thread: add() the owner; value() any.
#pragma once

#include <atomic>
#include <cstdint>

namespace portero {

class Counter {
 public:
  void add(std::int64_t amount = 1) noexcept {
    value_.store(value_.load(std::memory_order_relaxed) + amount, std::memory_order_relaxed);
  }
  void sub(std::int64_t amount = 1) noexcept { add(-amount); }
  std::int64_t value() const noexcept { return value_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::int64_t> value_{0};
};

}  // namespace portero
