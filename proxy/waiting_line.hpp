// WaitingLine: who waits at one worker for a connection of a pool, in order. Only the first is told
// that one may be had.
// Thread: the worker's. Owner: the UpstreamPool.
#pragma once

#include <cstddef>

#include "base/run_queue.hpp"
#include "proxy/shared_line.hpp"

namespace portero::proxy {

class WaitingLine {
 public:
  WaitingLine() noexcept = default;
  WaitingLine(const WaitingLine&) = delete;
  WaitingLine& operator=(const WaitingLine&) = delete;

  // A place in the line, at its end; in the frame of who waits.
  class Place {
   public:
    // `ticket`: see SharedLine.
    Place(WaitingLine& line, SharedLine::Ticket ticket) noexcept
        : line_(line), ticket_(ticket), previous_(line.last_) {
      (previous_ != nullptr ? previous_->next_ : line_.first_) = this;
      line_.last_ = this;
      ++line_.size_;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      (previous_ != nullptr ? previous_->next_ : line_.first_) = next_;
      (next_ != nullptr ? next_->previous_ : line_.last_) = previous_;
      --line_.size_;
    }
    bool is_first() const noexcept { return line_.first_ == this; }

    WaitPoint turn;  // signalled when it may be worth another attempt

   private:
    friend class WaitingLine;
    WaitingLine& line_;
    const SharedLine::Ticket ticket_;
    Place* previous_;
    Place* next_ = nullptr;
  };

  // Something has become free.
  void call_first() noexcept {
    if (first_ != nullptr) first_->turn.signal();
  }
  SharedLine::Ticket first_ticket() const noexcept {
    return first_ == nullptr ? SharedLine::nobody : first_->ticket_;
  }
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }

 private:
  Place* first_ = nullptr;
  Place* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace portero::proxy
