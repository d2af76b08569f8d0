#include "hub/hub.hpp"

#include "base/assert.hpp"
#include "hub/keyed_hash.hpp"

namespace portero::hub {

Admission AppTotals::enter(const App& app, const IpAddress& address) {
  std::size_t before = connections_.load(std::memory_order_relaxed);
  do {
    if (app.connections_max != 0 && before >= app.connections_max) return Admission::app_full;
  } while (!connections_.compare_exchange_weak(before, before + 1, std::memory_order_relaxed));
  if (app.connections_per_ip_max == 0) return Admission::ok;
  const std::lock_guard lock(mutex_);
  std::size_t& count = by_address_[address];
  if (count >= app.connections_per_ip_max) {
    connections_.fetch_sub(1, std::memory_order_relaxed);
    return Admission::address_full;
  }
  ++count;
  return Admission::ok;
}

void AppTotals::leave(const IpAddress& address, bool by_address) {
  const std::size_t before = connections_.fetch_sub(1, std::memory_order_relaxed);
  PORTERO_ASSERT(before > 0);
  if (!by_address) return;
  const std::lock_guard lock(mutex_);
  const auto found = by_address_.find(address);
  PORTERO_ASSERT(found != by_address_.end() && found->second > 0);
  if (--found->second == 0) by_address_.erase(found);
}

Hub::Hub(std::size_t worker_count) {
  PORTERO_ASSERT(worker_count > 0);
  for (std::size_t i = 0; i < worker_count; ++i) boxes_.push_back(std::make_unique<Box>());
}

void Hub::attach(std::size_t worker, Waker* waker) noexcept { boxes_[worker]->relay.set(waker); }

void Hub::Relay::wake() noexcept {
  if (Waker* const target = target_.load()) target->wake();
}

AppNumber Hub::number_of(std::string_view app_id) {
  const std::lock_guard lock(mutex_);
  if (const auto found = numbers_.find(app_id); found != numbers_.end()) return found->second;
  const auto number = static_cast<AppNumber>(totals_.size());
  numbers_.emplace(app_id, number);
  totals_.push_back(std::make_unique<AppTotals>());
  return number;
}

AppTotals& Hub::totals(AppNumber app) {
  const std::lock_guard lock(mutex_);
  PORTERO_ASSERT(app < totals_.size());
  return *totals_[app];
}

std::uint32_t Hub::home_of(AppNumber app, std::string_view channel) const noexcept {
  if (boxes_.size() == 1) return 0;
  const std::uint64_t hash = KeyedHash()(channel) + app * 0x9E37'79B9'7F4A'7C15U;
  // The high half: the low bits also choose the bucket of the channel's map.
  return static_cast<std::uint32_t>((hash >> 32) % boxes_.size());
}

}  // namespace portero::hub
