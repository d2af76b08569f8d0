// When to ask an authority: pure decisions; times are Unix seconds and always parameters.
// Thread: any (pure).
#pragma once

#include <chrono>
#include <ctime>
#include <vector>

namespace portero::acme {

// How long to wait after so many failures in a row: 1, 2, 2, 5, 10, 10, 10, 20 … minutes up to six
// hours, each up to a tenth longer by `spread` (0 to 1), so that many names do not come at once.
std::chrono::seconds retry_wait(unsigned failures, double spread) noexcept;

// The certificate is renewed at two thirds of its life, up to a fiftieth of it earlier by `spread`.
std::time_t renewal_time(std::time_t not_before, std::time_t not_after, double spread) noexcept;
// Until when others may rely on a certificate that ought to have been renewed: a sixth of its life
// before its end, so that who relied on it still has time.
std::time_t reliable_until(std::time_t not_before, std::time_t not_after) noexcept;

// The moment within the authority's window. Source: RFC 9773 §4.2.
std::time_t moment_in_window(std::time_t start, std::time_t end, double spread) noexcept;

// The ledger: when a name may be ordered again, given its earlier orders (oldest first), so that no
// crash loop can use up an authority's weekly limit. `now` when it may at once.
constexpr std::size_t orders_per_hour_max = 5;
constexpr std::size_t orders_per_week_max = 30;
std::time_t order_allowed_at(const std::vector<std::time_t>& orders, std::time_t now) noexcept;
// Forgets what is older than a week.
void forget_old_orders(std::vector<std::time_t>& orders, std::time_t now);

}  // namespace portero::acme
