// Tenths of a second of the monotonic clock: 32 bits last 13 years, so times cost sockets little.
// Thread: any; deciseconds_now() reads the calling thread's coarse clock.
#pragma once

#include <cstdint>

#include "base/clock.hpp"

namespace portero::hub {

using Deciseconds = std::uint32_t;

inline Deciseconds deciseconds_now() noexcept {
  return static_cast<Deciseconds>(coarse_clock().monotonic_ms / 100);
}

// Rounds up.
constexpr Deciseconds to_deciseconds(Milliseconds duration) noexcept {
  return static_cast<Deciseconds>((duration.count() + 99) / 100);
}

}  // namespace portero::hub
