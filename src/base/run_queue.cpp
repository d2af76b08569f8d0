#include "base/run_queue.hpp"

#include "base/assert.hpp"

namespace portero {

void TurnEnd::schedule() {
  if (slot_ != 0) return;
  RunQueue& queue = run_queue();
  queue.turn_end_.push_back(this);
  slot_ = queue.turn_end_.size();
}

void TurnEnd::cancel() noexcept {
  if (slot_ == 0) return;
  RunQueue& queue = run_queue();
  PORTERO_ASSERT(slot_ <= queue.turn_end_.size() && queue.turn_end_[slot_ - 1] == this);
  queue.turn_end_[slot_ - 1] = nullptr;
  slot_ = 0;
}

void RunQueue::run() {
  while (!empty()) {
    // Both lists may grow while they are walked; indices stay valid, iterators would not.
    for (std::size_t i = 0; i < ready_.size(); ++i) ready_[i].resume();
    ready_.clear();
    for (std::size_t i = 0; i < turn_end_.size(); ++i) {
      TurnEnd* hook = turn_end_[i];
      if (hook == nullptr) continue;
      turn_end_[i] = nullptr;
      hook->slot_ = 0;
      hook->call_(hook->self_);
    }
    turn_end_.clear();
  }
}

RunQueue& run_queue() noexcept {
  static thread_local RunQueue queue;
  return queue;
}

}  // namespace portero
