#include "proxy/upstream_state.hpp"

namespace portero::proxy {

UpstreamStatePointer UpstreamStates::get(const std::string& name) {
  const std::lock_guard lock(mutex_);
  std::erase_if(states_, [](const auto& entry) { return entry.second.expired(); });
  std::weak_ptr<UpstreamState>& known = states_[name];
  UpstreamStatePointer state = known.lock();
  if (state == nullptr) known = state = std::make_shared<UpstreamState>();
  return state;
}

}  // namespace portero::proxy
