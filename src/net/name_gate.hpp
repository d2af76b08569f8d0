// Decides about server names that have no certificate of their own yet, while their clients wait in
// the middle of a handshake.
// Thread: the worker's. Owner: the worker.
#pragma once

#include <algorithm>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/run_queue.hpp"

namespace portero::net {

class NameGate {
 public:
  enum class Verdict : std::uint8_t { refuse, wait };

  NameGate() = default;
  NameGate(const NameGate&) = delete;
  NameGate& operator=(const NameGate&) = delete;
  virtual ~NameGate() = default;

  // `name` is lower case. After `wait` the handshake asks again when it is woken.
  virtual Verdict ask(std::string_view name, const IpAddress& client) noexcept = 0;

  // A handshake that waits, for as long as it lives; woken by a signal of `point`.
  class Wait {
   public:
    Wait(NameGate& gate, WaitPoint& point) : gate_(gate), point_(point) {
      gate_.waiting_.push_back(&point);
    }
    ~Wait() {
      gate_.waiting_.erase(std::find(gate_.waiting_.begin(), gate_.waiting_.end(), &point_));
    }
    Wait(const Wait&) = delete;
    Wait& operator=(const Wait&) = delete;

   private:
    NameGate& gate_;
    WaitPoint& point_;
  };

 protected:
  std::size_t waiting() const noexcept { return waiting_.size(); }
  void wake_all() noexcept {
    for (WaitPoint* const point : waiting_) point->signal();
  }

 private:
  std::vector<WaitPoint*> waiting_;
};

}  // namespace portero::net
