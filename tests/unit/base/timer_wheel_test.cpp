#include "base/timer_wheel.hpp"

#include <memory>
#include <vector>

#include <doctest/doctest.h>

using namespace portero;

namespace {

// Owns the thread's clock for the time of a test.
class TestClock {
 public:
  TestClock() : saved_(coarse_clock()) { coarse_clock().monotonic_ms = 1'000'000; }
  ~TestClock() { coarse_clock() = saved_; }
  void pass(std::int64_t ms) { coarse_clock().monotonic_ms += ms; }

 private:
  CoarseClock saved_;
};

struct Counting {
  int fired = 0;
  Timer timer{[](void* self) { ++static_cast<Counting*>(self)->fired; }, this};
};

}  // namespace

TEST_CASE("timer_wheel: fires once, never early, at most a tick late") {
  for (const std::int64_t delay : {0, 1, 99, 100, 101, 250, 5'000}) {
    CAPTURE(delay);
    TestClock clock;
    TimerWheel wheel;
    Counting one;
    one.timer.arm(wheel, Milliseconds(delay));
    std::int64_t waited = 0;
    while (one.fired == 0 && waited < delay + 1'000) {
      clock.pass(10);
      waited += 10;
      wheel.advance();
    }
    CHECK(one.fired == 1);
    CHECK(waited >= delay);
    CHECK(waited <= delay + 2 * TimerWheel::tick_ms);
    clock.pass(10'000);
    wheel.advance();
    CHECK(one.fired == 1);
    CHECK_FALSE(one.timer.armed());
  }
}

TEST_CASE("timer_wheel: a timer longer than a turn of the wheel waits its full time") {
  TestClock clock;
  TimerWheel wheel;
  Counting hour;
  hour.timer.arm(wheel, Milliseconds(3'600'000));
  for (int second = 0; second < 3'599; ++second) {
    clock.pass(1'000);
    wheel.advance();
  }
  CHECK(hour.fired == 0);
  clock.pass(1'100);
  wheel.advance();
  CHECK(hour.fired == 1);
}

TEST_CASE("timer_wheel: a long sleep fires everything that was due meanwhile") {
  TestClock clock;
  TimerWheel wheel;
  std::vector<std::unique_ptr<Counting>> timers;
  for (int i = 0; i < 3'000; ++i) {
    timers.push_back(std::make_unique<Counting>());
    timers.back()->timer.arm(wheel, Milliseconds(i * 100));
  }
  clock.pass(300'100);
  wheel.advance();
  for (const auto& one : timers) CHECK(one->fired == 1);
  CHECK(wheel.armed_count() == 0);
}

TEST_CASE("timer_wheel: arming again moves a timer, disarming stops it") {
  TestClock clock;
  TimerWheel wheel;
  Counting moved;
  Counting stopped;
  moved.timer.arm(wheel, Milliseconds(100));
  moved.timer.arm(wheel, Milliseconds(1'000));
  stopped.timer.arm(wheel, Milliseconds(100));
  stopped.timer.disarm();
  stopped.timer.disarm();
  CHECK(wheel.armed_count() == 1);
  clock.pass(500);
  wheel.advance();
  CHECK(moved.fired == 0);
  clock.pass(700);
  wheel.advance();
  CHECK(moved.fired == 1);
  CHECK(stopped.fired == 0);
}

TEST_CASE("timer_wheel: destroying a timer disarms it") {
  TestClock clock;
  TimerWheel wheel;
  {
    Counting gone;
    gone.timer.arm(wheel, Milliseconds(100));
  }
  CHECK(wheel.armed_count() == 0);
  clock.pass(1'000);
  wheel.advance();
}

namespace {

struct Pair {
  Counting second;
  Timer first{[](void* self) { static_cast<Pair*>(self)->second.timer.disarm(); }, this};
};

struct Repeating {
  TimerWheel& wheel;
  int fired = 0;
  Timer timer{[](void* self) { static_cast<Repeating*>(self)->again(); }, this};
  void again() {
    ++fired;
    timer.arm(wheel, Milliseconds(0));
  }
};

}  // namespace

TEST_CASE("timer_wheel: a callback may disarm a timer that is due in the same tick") {
  TestClock clock;
  TimerWheel wheel;
  Pair pair;
  pair.first.arm(wheel, Milliseconds(100));
  pair.second.timer.arm(wheel, Milliseconds(100));
  clock.pass(300);
  wheel.advance();
  CHECK(pair.second.fired == 0);
  CHECK(wheel.armed_count() == 0);
}

TEST_CASE("timer_wheel: a callback that arms itself again fires once per tick") {
  TestClock clock;
  TimerWheel wheel;
  Repeating repeating{wheel};
  repeating.timer.arm(wheel, Milliseconds(0));
  for (int tick = 0; tick < 5; ++tick) {
    clock.pass(TimerWheel::tick_ms);
    wheel.advance();
  }
  CHECK(repeating.fired == 5);
}

TEST_CASE("timer_wheel: sleeps for ever without timers, else until the next tick") {
  TestClock clock;
  TimerWheel wheel;
  CHECK(wheel.sleep_ms_max() == -1);
  Counting one;
  one.timer.arm(wheel, Milliseconds(60'000));
  clock.pass(30);
  CHECK(wheel.sleep_ms_max() == 70);
  clock.pass(500);
  CHECK(wheel.sleep_ms_max() == 0);
}
