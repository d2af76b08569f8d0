#include "net/loop.hpp"

#include <sys/epoll.h>
#include <sys/eventfd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <system_error>

#include "base/buffer.hpp"
#include "base/run_queue.hpp"
#include "base/task.hpp"

namespace portero::net {
namespace {

constexpr std::uint32_t reading = EPOLLIN | EPOLLRDHUP | EPOLLET;
constexpr int events_per_turn_max = 256;
constexpr std::int64_t trim_period_ms = 1'000;

}  // namespace

Loop::Loop()
    : epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wake_fd_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)),
      wake_watch_(*this) {
  if (!epoll_.is_open() || !wake_fd_.is_open() || !add(wake_fd_.get(), EPOLLIN, wake_watch_)) {
    throw std::system_error(errno, std::generic_category(), "cannot set up the event loop");
  }
  coarse_clock().update();
}

Result<> Loop::add(int fd, std::uint32_t events, IoWatch& watch) noexcept {
  epoll_event event{};
  event.events = events;
  event.data.ptr = &watch;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) return error_from_errno(errno);
  return {};
}

Result<> Loop::watch(int fd, IoWatch& watch) noexcept { return add(fd, reading | EPOLLOUT, watch); }

Result<> Loop::watch_reading(int fd, IoWatch& watch) noexcept { return add(fd, reading, watch); }

void Loop::watch_writing(int fd, IoWatch& watch, bool on) noexcept {
  epoll_event event{};
  event.events = on ? reading | EPOLLOUT : reading;
  event.data.ptr = &watch;
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event);
}

Result<> Loop::watch_listener(int fd, IoWatch& watch) noexcept { return add(fd, EPOLLIN, watch); }

void Loop::unwatch(int fd) noexcept { ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr); }

void Loop::set_on_wake(void (*on_wake)(void*), void* self) noexcept {
  on_wake_ = on_wake;
  on_wake_self_ = self;
}

void Loop::WakeWatch::on_ready(std::uint32_t /*epoll_events*/) noexcept {
  std::uint64_t count = 0;
  (void)!::read(loop_.wake_fd_.get(), &count, sizeof count);
  loop_.woken_.store(false);
  loop_.wake_pending_ = true;
}

void Loop::wake() noexcept {
  if (woken_.exchange(true)) return;
  const std::uint64_t one = 1;
  (void)!::write(wake_fd_.get(), &one, sizeof one);
}

void Loop::stop() noexcept {
  stopping_.store(true);
  wake();
}

void Loop::run() {
  while (!stopping_.load(std::memory_order_relaxed)) run_once(-1);
}

void Loop::run_once(int wait_ms_max) {
  run_queue().run();
  const int timer_ms = timers_.sleep_ms_max();
  const int wait_ms = timer_ms < 0      ? wait_ms_max
                      : wait_ms_max < 0 ? timer_ms
                                        : std::min(timer_ms, wait_ms_max);
  std::array<epoll_event, events_per_turn_max> events;
  const int count = ::epoll_wait(epoll_.get(), events.data(), events_per_turn_max, wait_ms);
  coarse_clock().update();
  for (int i = 0; i < count; ++i) {
    const epoll_event& event = events[static_cast<std::size_t>(i)];
    static_cast<IoWatch*>(event.data.ptr)->on_ready(event.events);
  }
  if (wake_pending_) {
    wake_pending_ = false;
    if (on_wake_ != nullptr) on_wake_(on_wake_self_);
  }
  timers_.advance();
  run_queue().run();
  trim_pools();
}

// What a burst has needed goes back to the heap within seconds after it.
void Loop::trim_pools() noexcept {
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  if (now_ms - trimmed_ms_ < trim_period_ms) return;
  trimmed_ms_ = now_ms;
  detail::trim_frames();
  trim_buffers();
}

}  // namespace portero::net
