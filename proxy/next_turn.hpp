// Lets a coroutine that could go on for ever (a fast upstream and a fast client) step back until
// the loop has looked at its other sockets and timers.
// Cost: one write to an eventfd per step back; nothing otherwise.
// Thread: the worker's. Owner: its PoolSet.
#pragma once

#include <vector>

#include "base/fd.hpp"
#include "base/run_queue.hpp"
#include "net/loop.hpp"

namespace portero::proxy {

class NextTurn final : private net::IoWatch {
 public:
  explicit NextTurn(net::Loop& loop);
  NextTurn(const NextTurn&) = delete;
  NextTurn& operator=(const NextTurn&) = delete;

  // Signals `point` in the next turn. The point must stay until then.
  void signal_later(WaitPoint& point);

 private:
  void on_ready(std::uint32_t epoll_events) noexcept override;

  Fd event_;
  std::vector<WaitPoint*> waiting_;
  std::vector<WaitPoint*> woken_;
};

// Counts the work of one coroutine and says when to step back.
//   if (fair.spend(bytes)) co_await fair.next_turn(turn);
class FairShare {
 public:
  // Units: bytes. Returns whether the share of this turn is used up.
  bool spend(std::size_t bytes) noexcept {
    spent_ += bytes + step_bytes;
    return spent_ >= turn_bytes_max;
  }
  WaitPoint& next_turn(NextTurn& turn) {
    spent_ = 0;
    turn.signal_later(point_);
    return point_;
  }

 private:
  static constexpr std::size_t turn_bytes_max = 1024 * 1024;
  static constexpr std::size_t step_bytes = 1024;  // so that tiny pieces count too

  std::size_t spent_ = 0;
  WaitPoint point_;
};

}  // namespace portero::proxy
