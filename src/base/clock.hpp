// Time as the data plane sees it: read once per turn of the loop, so asking is free, and settable,
// so that tests and the simulation own it.
// Thread: coarse_clock() is the calling thread's own.
#pragma once

#include <chrono>
#include <cstdint>

namespace portero {

using Milliseconds = std::chrono::milliseconds;

struct CoarseClock {
  std::int64_t monotonic_ms = 0;  // CLOCK_MONOTONIC
  std::int64_t unix_ms = 0;       // CLOCK_REALTIME

  // Reads both clocks of the system; called by the loop once per turn.
  void update() noexcept;
};

CoarseClock& coarse_clock() noexcept;

}  // namespace portero
