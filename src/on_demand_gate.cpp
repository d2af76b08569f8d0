#include "on_demand_gate.hpp"

#include "base/clock.hpp"

namespace portero {

net::NameGate::Verdict OnDemandGate::ask(std::string_view name, const IpAddress& client) noexcept {
  const std::int64_t now = coarse_clock().monotonic_ms;
  const auto refused = refused_.find(name);
  if (refused != refused_.end() && refused->second > now) return Verdict::refuse;
  if (waiting() >= waiting_max) return Verdict::refuse;
  if (!pending_.contains(name)) {
    pending_.emplace(name);
    ask_(std::string(name), client);
  }
  return Verdict::wait;
}

void OnDemandGate::settle(const std::string& name, bool is_there) {
  pending_.erase(name);
  if (is_there) {
    refused_.erase(name);
  } else {
    if (refused_.size() >= refused_max) refused_.clear();
    refused_[name] = coarse_clock().monotonic_ms + refused_for_ms;
  }
  wake_all();
}

}  // namespace portero
