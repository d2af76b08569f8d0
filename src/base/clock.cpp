#include "base/clock.hpp"

#include <ctime>

namespace portero {
namespace {

std::int64_t read_ms(clockid_t id) noexcept {
  timespec now{};
  ::clock_gettime(id, &now);
  return static_cast<std::int64_t>(now.tv_sec) * 1000 + now.tv_nsec / 1'000'000;
}

}  // namespace

void CoarseClock::update() noexcept {
  monotonic_ms = read_ms(CLOCK_MONOTONIC);
  unix_ms = read_ms(CLOCK_REALTIME);
}

CoarseClock& coarse_clock() noexcept {
  static thread_local CoarseClock clock;
  return clock;
}

}  // namespace portero
