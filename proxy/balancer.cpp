#include "proxy/balancer.hpp"

#include "base/assert.hpp"
#include "net/crypto.hpp"

namespace portero::proxy {

std::optional<Balance> balance_from_text(std::string_view text) noexcept {
  if (text == "two_random") return Balance::two_random;
  if (text == "random") return Balance::random;
  if (text == "round_robin") return Balance::round_robin;
  if (text == "least_conn") return Balance::least_conn;
  return std::nullopt;
}

Balancer::Balancer(Balance policy, std::vector<PoolRef> pools)
    : policy_(policy), pools_(std::move(pools)), random_(net::random_u64() | 1) {
  PORTERO_ASSERT(!pools_.empty());
}

std::size_t Balancer::choose() {
  if (pools_.size() == 1) return 0;
  std::size_t chosen = 0;
  switch (policy_) {
    case Balance::two_random: chosen = less_busy(draw(), draw()); break;
    case Balance::random: chosen = draw(); break;
    case Balance::round_robin: chosen = next_++ % pools_.size(); break;
    case Balance::least_conn: chosen = least_busy(); break;
  }
  for (std::size_t i = 0; i < pools_.size(); ++i) {
    if (!at(chosen + i).failed_lately()) return (chosen + i) % pools_.size();
  }
  return chosen;
}

// Source: Marsaglia, "Xorshift RNGs" (2003).
std::size_t Balancer::draw() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return static_cast<std::size_t>(random_ >> 32) % pools_.size();
}

std::size_t Balancer::less_busy(std::size_t a, std::size_t b) const noexcept {
  return at(b).in_use() < at(a).in_use() ? b : a;
}

// Starts the search at another place each time, so that equals take turns.
std::size_t Balancer::least_busy() noexcept {
  std::size_t best = next_++ % pools_.size();
  for (std::size_t i = 1; i < pools_.size(); ++i) best = less_busy(best, (next_ - 1 + i) % size());
  return best;
}

}  // namespace portero::proxy
