#include "proxy/next_turn.hpp"

#include <sys/eventfd.h>

#include "base/log.hpp"

namespace portero::proxy {

NextTurn::NextTurn(net::Loop& loop) : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_.is_open() && loop.watch(event_.get(), *this)) return;
  event_ = Fd();
  log::error("proxy.no_eventfd", log::kv("error", Error(Errc::too_many_descriptors)));
}

void NextTurn::signal_later(WaitPoint& point) {
  if (!event_.is_open()) {
    point.signal();
    return;
  }
  waiting_.push_back(&point);
  if (waiting_.size() > 1) return;
  // Edge-triggered: every write is reported once, so the counter need not be read.
  const std::uint64_t one = 1;
  if (::write(event_.get(), &one, sizeof one) < 0) {
    std::uint64_t count = 0;  // full after 2^64 writes; start again
    (void)!::read(event_.get(), &count, sizeof count);
    (void)!::write(event_.get(), &one, sizeof one);
  }
}

void NextTurn::on_ready(std::uint32_t) noexcept {
  woken_.swap(waiting_);
  for (WaitPoint* point : woken_) point->signal();
  woken_.clear();
}

}  // namespace portero::proxy
