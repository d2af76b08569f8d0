#include "acme/schedule.hpp"

#include <algorithm>
#include <array>

namespace portero::acme {
namespace {

constexpr std::time_t hour = 3600;
constexpr std::time_t week = 7 * 24 * hour;

struct Step {
  unsigned times;
  int minutes;
};
constexpr std::array<Step, 9> steps{
    {{1, 1}, {2, 2}, {1, 5}, {3, 10}, {4, 20}, {6, 30}, {3, 60}, {2, 120}, {2, 180}}};
constexpr int last_minutes = 360;

// When the `count`th newest order leaves the period before `now`.
std::time_t free_again(const std::vector<std::time_t>& orders, std::size_t count,
                       std::time_t period, std::time_t now) noexcept {
  if (orders.size() < count) return now;
  return std::max(now, orders[orders.size() - count] + period);
}

}  // namespace

std::chrono::seconds retry_wait(unsigned failures, double spread) noexcept {
  int minutes = last_minutes;
  unsigned passed = 0;
  for (const Step& step : steps) {
    passed += step.times;
    if (failures > passed) continue;
    minutes = step.minutes;
    break;
  }
  return std::chrono::seconds(static_cast<int>(minutes * 60 * (1 + spread / 10)));
}

std::time_t renewal_time(std::time_t not_before, std::time_t not_after, double spread) noexcept {
  const auto life = static_cast<double>(not_after - not_before);
  return not_before + static_cast<std::time_t>(life * (2.0 / 3 - spread / 50));
}

std::time_t reliable_until(std::time_t not_before, std::time_t not_after) noexcept {
  return not_after - (not_after - not_before) / 6;
}

std::time_t moment_in_window(std::time_t start, std::time_t end, double spread) noexcept {
  return start + static_cast<std::time_t>(static_cast<double>(end - start) * spread);
}

std::time_t order_allowed_at(const std::vector<std::time_t>& orders, std::time_t now) noexcept {
  return std::max(free_again(orders, orders_per_hour_max, hour, now),
                  free_again(orders, orders_per_week_max, week, now));
}

void forget_old_orders(std::vector<std::time_t>& orders, std::time_t now) {
  std::erase_if(orders, [now](std::time_t order) { return order < now - week || order > now; });
}

}  // namespace portero::acme
