#include "proxy/upstream_state.hpp"

#include <cstddef>

namespace portero::proxy {
namespace {

// Those that nobody has any more go when there are twice as many: each look takes as long as there
// are, and a reload asks for every upstream.
constexpr std::size_t clear_at_min = 64;

}  // namespace

UpstreamStatePointer UpstreamStates::get(const std::string& name) {
  const std::lock_guard lock(mutex_);
  if (states_.size() >= clear_at_) {
    std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
    clear_at_ = 2 * states_.size() + clear_at_min;
  }
  std::weak_ptr<UpstreamState>& known = states_[name];
  UpstreamStatePointer state = known.lock();
  if (state == nullptr) known = state = std::make_shared<UpstreamState>();
  return state;
}

}  // namespace portero::proxy
