// The queue of coroutines that are ready to go on, one per thread. A suspended coroutine is only
// ever resumed from here, by the thread's loop: signalling is therefore never re-entrant, and an
// object may signal, cancel or be signalled at any point of its life without surprises.
//
// The end of a turn: hooks added with at_turn_end() run after every ready coroutine has run, so
// that a socket written to many times in a turn is written to the kernel once.
//
// Thread: owned by one thread; run_queue() returns the calling thread's own.
#pragma once

#include <coroutine>
#include <cstddef>
#include <utility>
#include <vector>

namespace portero {

// Intrusive hook; the owner embeds it and outlives its registration (or calls cancel()).
class TurnEnd {
 public:
  TurnEnd(void (*call)(void*), void* self) noexcept : call_(call), self_(self) {}
  TurnEnd(const TurnEnd&) = delete;
  TurnEnd& operator=(const TurnEnd&) = delete;
  ~TurnEnd() { cancel(); }

  // Registers for the end of this turn; does nothing when registered already.
  void schedule();
  void cancel() noexcept;
  bool scheduled() const noexcept { return slot_ != 0; }

 private:
  friend class RunQueue;
  void (*call_)(void*);
  void* self_;
  std::size_t slot_ = 0;  // index + 1 in the queue's list; 0 = not registered
};

class RunQueue {
 public:
  void push(std::coroutine_handle<> ready) { ready_.push_back(ready); }
  // Resumes everything that is ready, then runs the hooks of the turn's end, until both are empty.
  void run();
  bool empty() const noexcept { return ready_.empty() && turn_end_.empty(); }

 private:
  friend class TurnEnd;
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<TurnEnd*> turn_end_;
};

RunQueue& run_queue() noexcept;

// An auto-reset event that one coroutine awaits: `co_await point` returns once signal() was called,
// at once if that was before. Whoever signals keeps the reason (data, error) elsewhere.
class WaitPoint {
 public:
  WaitPoint() noexcept = default;
  WaitPoint(const WaitPoint&) = delete;
  WaitPoint& operator=(const WaitPoint&) = delete;

  void signal() {
    signalled_ = true;
    if (waiter_) run_queue().push(std::exchange(waiter_, nullptr));
  }
  bool has_waiter() const noexcept { return static_cast<bool>(waiter_); }
  // Forgets a signal that nobody has awaited yet.
  void clear() noexcept { signalled_ = false; }

  struct Awaiter {
    WaitPoint& point;
    bool await_ready() const noexcept { return point.signalled_; }
    void await_suspend(std::coroutine_handle<> waiter) const noexcept { point.waiter_ = waiter; }
    void await_resume() const noexcept { point.signalled_ = false; }
  };
  Awaiter operator co_await() noexcept { return {*this}; }

 private:
  std::coroutine_handle<> waiter_;
  bool signalled_ = false;
};

}  // namespace portero
