#include "base/timer_wheel.hpp"

#include <algorithm>

#include "base/assert.hpp"

namespace portero {
namespace {

void make_empty(TimerLink& head) noexcept { head.next = head.previous = &head; }

std::int64_t tick_now() noexcept { return coarse_clock().monotonic_ms / TimerWheel::tick_ms; }

}  // namespace

void Timer::arm(TimerWheel& wheel, Milliseconds delay) noexcept {
  disarm();
  const std::int64_t due_ms =
      coarse_clock().monotonic_ms + std::max<std::int64_t>(delay.count(), 0);
  due_tick_ = (due_ms + TimerWheel::tick_ms - 1) / TimerWheel::tick_ms;
  wheel_ = &wheel;
  wheel.link(*this);
}

void Timer::disarm() noexcept {
  if (!armed()) return;
  next->previous = previous;
  previous->next = next;
  next = previous = nullptr;
  PORTERO_ASSERT(wheel_->armed_ > 0);
  --wheel_->armed_;
}

TimerWheel::TimerWheel() noexcept : tick_(tick_now()) {
  for (TimerLink& slot : slots_) make_empty(slot);
  make_empty(due_);
}

void TimerWheel::insert_before(TimerLink& place, Timer& timer) noexcept {
  timer.previous = place.previous;
  timer.next = &place;
  place.previous->next = &timer;
  place.previous = &timer;
}

void TimerWheel::link(Timer& timer) noexcept {
  timer.due_tick_ = std::max(timer.due_tick_, tick_ + 1);
  insert_before(slots_[static_cast<std::size_t>(timer.due_tick_) % slot_count], timer);
  ++armed_;
}

void TimerWheel::collect_due(TimerLink& slot) noexcept {
  for (TimerLink* link = slot.next; link != &slot;) {
    Timer& timer = static_cast<Timer&>(*link);
    link = link->next;
    if (timer.due_tick_ > tick_) continue;  // a later turn of the wheel
    timer.next->previous = timer.previous;
    timer.previous->next = timer.next;
    insert_before(due_, timer);
  }
}

void TimerWheel::advance() {
  const std::int64_t now = tick_now();
  if (armed_ == 0) {
    tick_ = std::max(tick_, now);
    return;
  }
  // After a long sleep every slot is visited once, not once per tick that was missed.
  const std::int64_t first = std::max(tick_ + 1, now - static_cast<std::int64_t>(slot_count) + 1);
  tick_ = std::max(tick_, now);
  for (std::int64_t tick = first; tick <= now; ++tick) {
    collect_due(slots_[static_cast<std::size_t>(tick) % slot_count]);
  }
  while (due_.next != &due_) {
    Timer& timer = static_cast<Timer&>(*due_.next);
    timer.disarm();
    timer.on_expire_(timer.self_);
  }
}

int TimerWheel::sleep_ms_max() const noexcept {
  if (armed_ == 0) return -1;
  const std::int64_t next_tick_ms = (tick_ + 1) * tick_ms;
  return static_cast<int>(
      std::clamp<std::int64_t>(next_tick_ms - coarse_clock().monotonic_ms, 0, tick_ms));
}

}  // namespace portero
