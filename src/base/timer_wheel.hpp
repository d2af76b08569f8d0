// One timer wheel per worker: ticks of 100 ms, arming and disarming in constant time, no system
// call and no allocation per timer. Precision: a timer fires up to one tick late, never early.
// Thread: owner's (the worker).
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/clock.hpp"

namespace portero {

class TimerWheel;

// A link of a circular list.
struct TimerLink {
  TimerLink* next = nullptr;
  TimerLink* previous = nullptr;
};

// An intrusive timer: the owner embeds it, destroying it disarms it.
class Timer : private TimerLink {
 public:
  Timer(void (*on_expire)(void*), void* self) noexcept : on_expire_(on_expire), self_(self) {}
  Timer(const Timer&) = delete;
  Timer& operator=(const Timer&) = delete;
  ~Timer() { disarm(); }

  // Fires once, `delay` from now; an armed timer is moved. Limits: any delay ≥ 0.
  void arm(TimerWheel& wheel, Milliseconds delay) noexcept;
  void disarm() noexcept;
  bool armed() const noexcept { return next != nullptr; }

 private:
  friend class TimerWheel;
  TimerWheel* wheel_ = nullptr;
  std::int64_t due_tick_ = 0;
  void (*on_expire_)(void*);
  void* self_;
};

class TimerWheel {
 public:
  static constexpr std::int64_t tick_ms = 100;

  TimerWheel() noexcept;
  TimerWheel(const TimerWheel&) = delete;
  TimerWheel& operator=(const TimerWheel&) = delete;

  // Fires what is due by coarse_clock().monotonic_ms. Callbacks may arm and disarm any timer.
  void advance();
  // How long the loop may sleep: until the next tick, or -1 when no timer is armed.
  int sleep_ms_max() const noexcept;
  std::size_t armed_count() const noexcept { return armed_; }

 private:
  friend class Timer;
  static constexpr std::size_t slot_count = 1024;  // 102 s per turn; longer timers stay a turn more

  static void insert_before(TimerLink& place, Timer& timer) noexcept;
  void link(Timer& timer) noexcept;
  void collect_due(TimerLink& slot) noexcept;

  std::array<TimerLink, slot_count> slots_;  // list heads
  TimerLink due_;                            // the timers being fired
  std::int64_t tick_;                        // the last tick that was handled
  std::size_t armed_ = 0;
};

}  // namespace portero
