#include "base/task.hpp"

#include <vector>

#include <doctest/doctest.h>

#include "base/run_queue.hpp"

using namespace portero;

namespace {

Task<int> immediately(int value) { co_return value; }

Task<int> sum_without_suspending(int count) {
  int sum = 0;
  for (int i = 0; i < count; ++i) {
    const int one = co_await immediately(1);
    sum += one;
  }
  co_return sum;
}

Task<int> after(WaitPoint& point, int value) {
  co_await point;
  co_return value;
}

Task<> store_sum(WaitPoint& first, WaitPoint& second, int& sum) {
  const int a = co_await after(first, 1);
  const int b = co_await after(second, 2);
  sum = a + b;
}

Task<> store_count(int count, int& sum) { sum = co_await sum_without_suspending(count); }

Task<int> cached(bool known, WaitPoint& point) {
  if (known) return Task<int>::ready(1);
  return after(point, 2);
}

Task<> nothing_to_do() { return Task<>::ready(); }

Task<> store_cached(WaitPoint& point, int& sum) {
  co_await nothing_to_do();
  const int a = co_await cached(true, point);
  sum = a;
  const int b = co_await cached(false, point);
  sum += b;
}

}  // namespace

TEST_CASE("task: a ready one needs no frame and hands over to a coroutine when it must wait") {
  WaitPoint point;
  int sum = 0;
  spawn(store_cached(point, sum));
  CHECK(sum == 1);
  point.signal();
  run_queue().run();
  CHECK(sum == 3);
}

TEST_CASE(
    "task: frames that a burst has needed stay while it lasts and go back to the heap after") {
  constexpr std::size_t size = 3'000;  // a class that nobody else here uses
  std::vector<void*> burst;
  for (int i = 0; i < 1'000; ++i) burst.push_back(detail::allocate_frame(size));
  for (void* frame : burst) detail::free_frame(frame, size);
  detail::trim_frames();  // all of them were in use since the last time
  CHECK(detail::free_frame_count(size) == 1'000);
  detail::trim_frames();
  CHECK(detail::free_frame_count(size) < 600);
  for (int i = 0; i < 20; ++i) detail::trim_frames();
  CHECK(detail::free_frame_count(size) > 0);
  CHECK(detail::free_frame_count(size) < 100);
}

TEST_CASE("task: a child that never suspends does not grow the stack") {
  int sum = 0;
  spawn(store_count(1'000'000, sum));
  CHECK(sum == 1'000'000);
}

TEST_CASE("task: resumes only from the run queue, in the order of the signals") {
  WaitPoint first;
  WaitPoint second;
  int sum = 0;
  spawn(store_sum(first, second, sum));
  second.signal();  // kept until someone waits
  first.signal();
  CHECK(sum == 0);
  run_queue().run();
  CHECK(sum == 3);
}

TEST_CASE("run_queue: the hook of a turn's end runs once, after what was ready") {
  int calls = 0;
  TurnEnd hook([](void* count) { ++*static_cast<int*>(count); }, &calls);
  hook.schedule();
  hook.schedule();
  run_queue().run();
  CHECK(calls == 1);
  hook.schedule();
  hook.cancel();
  run_queue().run();
  CHECK(calls == 1);
}
