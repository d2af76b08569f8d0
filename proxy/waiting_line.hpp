// WaitingLine: who waits for a connection of a pool, in order. Only the first is told that one may
// be had; when it leaves, the next is.
// Thread: the worker's. Owner: the UpstreamPool.
#pragma once

#include <cstddef>

#include "base/run_queue.hpp"

namespace portero::proxy {

class WaitingLine {
 public:
  WaitingLine() noexcept = default;
  WaitingLine(const WaitingLine&) = delete;
  WaitingLine& operator=(const WaitingLine&) = delete;

  // A place in the line, at its end; in the frame of who waits.
  class Place {
   public:
    explicit Place(WaitingLine& line) noexcept : line_(line), previous_(line.last_) {
      (previous_ != nullptr ? previous_->next_ : line_.first_) = this;
      line_.last_ = this;
      ++line_.size_;
    }
    Place(const Place&) = delete;
    Place& operator=(const Place&) = delete;
    ~Place() {
      const bool was_first = is_first();
      (previous_ != nullptr ? previous_->next_ : line_.first_) = next_;
      (next_ != nullptr ? next_->previous_ : line_.last_) = previous_;
      --line_.size_;
      if (was_first) line_.call_first();
    }
    bool is_first() const noexcept { return line_.first_ == this; }

    WaitPoint turn;  // signalled when it may be worth another attempt

   private:
    friend class WaitingLine;
    WaitingLine& line_;
    Place* previous_;
    Place* next_ = nullptr;
  };

  // Something has become free.
  void call_first() noexcept {
    if (first_ != nullptr) first_->turn.signal();
  }
  bool empty() const noexcept { return first_ == nullptr; }
  std::size_t size() const noexcept { return size_; }

 private:
  Place* first_ = nullptr;
  Place* last_ = nullptr;
  std::size_t size_ = 0;
};

}  // namespace portero::proxy
