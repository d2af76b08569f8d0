// The event loop of one worker: epoll, the timer wheel, the run queue and the wake-up from other
// threads. A turn: wait, take in what the kernel and other threads report, fire timers, run ready
// coroutines, run the hooks of the turn's end.
//
// Every socket is registered once, edge-triggered, for its whole life: waiting costs no system call
// but the shared epoll_wait (Asio's async_wait pays an epoll_ctl per wait; src/DECISIONS.md).
// Thread: one per loop; wake() and stop() any.
#pragma once

#include <atomic>
#include <cstdint>

#include "base/fd.hpp"
#include "base/mailbox.hpp"
#include "base/result.hpp"
#include "base/timer_wheel.hpp"

namespace portero::net {

// What the loop calls when a descriptor becomes ready. on_ready() only marks and signals; it must
// not destroy anything (other events of the same batch may name it).
class IoWatch {
 public:
  virtual void on_ready(std::uint32_t epoll_events) noexcept = 0;

 protected:
  ~IoWatch() = default;
};

class Loop final : public Waker {
 public:
  // Throws std::system_error when the kernel refuses epoll or eventfd (start-up only).
  Loop();
  Loop(const Loop&) = delete;
  Loop& operator=(const Loop&) = delete;

  // Adds a descriptor, edge-triggered for both directions; closing it removes it.
  Result<> watch(int fd, IoWatch& watch) noexcept;
  // The same for reading and the peer's end alone, until watch_writing() says otherwise.
  Result<> watch_reading(int fd, IoWatch& watch) noexcept;
  void watch_writing(int fd, IoWatch& watch, bool on) noexcept;
  // Adds a listening socket, level-triggered for reading.
  Result<> watch_listener(int fd, IoWatch& watch) noexcept;
  void unwatch(int fd) noexcept;

  // Calls `on_wake(self)` once per turn in which another thread called wake(): empty mailboxes
  // here.
  void set_on_wake(void (*on_wake)(void*), void* self) noexcept;

  void run();
  void run_once(int wait_ms_max);
  void stop() noexcept;           // ends run() after the turn that is under way
  void wake() noexcept override;  // from any thread

  TimerWheel& timers() noexcept { return timers_; }

 private:
  class WakeWatch final : public IoWatch {
   public:
    explicit WakeWatch(Loop& loop) noexcept : loop_(loop) {}
    void on_ready(std::uint32_t epoll_events) noexcept override;

   private:
    Loop& loop_;
  };

  void trim_pools() noexcept;
  Result<> add(int fd, std::uint32_t events, IoWatch& watch) noexcept;

  Fd epoll_;
  Fd wake_fd_;
  WakeWatch wake_watch_;
  std::atomic<bool> woken_{false};
  std::atomic<bool> stopping_{false};
  bool wake_pending_ = false;
  void (*on_wake_)(void*) = nullptr;
  void* on_wake_self_ = nullptr;
  std::int64_t trimmed_ms_ = 0;
  TimerWheel timers_;
};

}  // namespace portero::net
