#include "proxy/shared_line.hpp"

#include <algorithm>

namespace portero::proxy {

SharedLine::Member::Member(SharedLine& line, Waker& worker) : line_(line), worker_(worker) {
  const std::lock_guard lock(line_.mutex_);
  line_.members_.push_back(this);
}

SharedLine::Member::~Member() {
  const std::lock_guard lock(line_.mutex_);
  std::erase(line_.members_, this);
}

void SharedLine::Member::set_first(Ticket ticket) noexcept {
  const std::lock_guard lock(line_.mutex_);
  first_ = ticket;
}

bool SharedLine::Member::has_turn() const noexcept {
  const std::lock_guard lock(line_.mutex_);
  return line_.next_member() == this;
}

bool SharedLine::Member::call_next() noexcept {
  const std::lock_guard lock(line_.mutex_);
  Member* const next = line_.next_member();
  if (next == nullptr || next == this) return next == this;
  next->call();
  return false;
}

void SharedLine::Member::call_others() noexcept {
  const std::lock_guard lock(line_.mutex_);
  for (Member* const member : line_.members_) {
    if (member != this) member->call();
  }
}

// Under the lock, so that the worker is still there.
void SharedLine::Member::call() noexcept {
  if (!called_.exchange(true)) worker_.wake();
}

SharedLine::Member* SharedLine::next_member() const noexcept {
  const auto next = std::min_element(members_.begin(), members_.end(),
                                     [](auto* a, auto* b) { return a->first_ < b->first_; });
  return next == members_.end() || (*next)->first_ == nobody ? nullptr : *next;
}

}  // namespace portero::proxy
