#include "proxy/balancer.hpp"

#include "base/assert.hpp"
#include "base/hash.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"
#include "proxy/rate_gate.hpp"
#include "proxy/request_values.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t cookie_chars = 32;  // 128 bits of the signature

std::uint64_t hash_of(std::string_view text, std::uint64_t seed) noexcept {
  constexpr std::uint64_t offset_basis = 0xcbf29ce484222325U;
  return mix_bits(add_to_hash(seed ^ offset_basis, text));
}

}  // namespace

std::optional<Balance> balance_from_text(std::string_view text) noexcept {
  if (text == "two_random") return Balance::two_random;
  if (text == "random") return Balance::random;
  if (text == "round_robin") return Balance::round_robin;
  if (text == "least_conn") return Balance::least_conn;
  if (text == "ip_hash") return Balance::ip_hash;
  if (text == "uri_hash") return Balance::uri_hash;
  if (text == "cookie") return Balance::cookie;
  return std::nullopt;
}

Balancer::Balancer(BalanceSettings settings, const std::vector<PoolRef>& pools,
                   std::vector<UpstreamStatePointer> health)
    : settings_(std::move(settings)), random_(net::random_u64() | 1) {
  PORTERO_ASSERT(!pools.empty());
  health.resize(pools.size());
  for (std::size_t i = 0; i < pools.size(); ++i) {
    Member member{pools[i], std::move(health[i])};
    if (member.health == nullptr) member.health = std::make_shared<UpstreamState>();
    const std::string& name = member.pool->settings().text;
    member.seed = hash_of(name, 0);
    if (settings_.policy == Balance::cookie) {
      member.cookie = net::hmac_sha256_hex(settings_.cookie_key, name).substr(0, cookie_chars);
    }
    members_.push_back(std::move(member));
  }
}

bool Balancer::is_fit(std::size_t index) const noexcept {
  const Member& one = member(index);
  return !one.pool->failed_lately() && one.health->is_fit(coarse_clock().monotonic_ms);
}

std::size_t Balancer::choose(const http::Request& request) {
  if (members_.size() == 1) return 0;
  if (settings_.policy == Balance::cookie) {
    const std::optional<std::size_t> known = choose_by_cookie(request);
    if (known && is_fit(*known)) return *known;
  }
  const std::size_t chosen = choose_freely(request);
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::size_t index = (chosen + i) % members_.size();
    if (is_fit(index) && has_warmed_up(index)) return index;
  }
  // Nobody is at its best: one that works is better than the first that was thought of.
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (is_fit(chosen + i)) return (chosen + i) % members_.size();
  }
  return chosen;
}

std::size_t Balancer::choose_freely(const http::Request& request) {
  switch (settings_.policy) {
    case Balance::cookie:
    case Balance::two_random: return less_busy(draw(), draw());
    case Balance::random: return draw();
    case Balance::round_robin: return next_++ % members_.size();
    case Balance::least_conn: return least_busy();
    case Balance::ip_hash: return choose_by_hash(client_key(request.client_ip).view());
    case Balance::uri_hash:
      return choose_by_hash(request.original_target.empty() ? request.target
                                                            : request.original_target);
  }
  return 0;
}

// Rendezvous hashing: an upstream that goes moves nobody but its own clients.
// Source: Thaler, Ravishankar, "Using name-based mappings to increase hit rates" (1998).
std::size_t Balancer::choose_by_hash(std::string_view subject) const noexcept {
  std::size_t best = 0;
  std::uint64_t highest = 0;
  bool best_is_fit = false;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    const std::uint64_t weight = hash_of(subject, members_[i].seed);
    const bool fit = is_fit(i);
    if (fit < best_is_fit || (fit == best_is_fit && weight < highest)) continue;
    best = i;
    highest = weight;
    best_is_fit = fit;
  }
  return best;
}

std::optional<std::size_t> Balancer::choose_by_cookie(const http::Request& request) const {
  const std::optional<std::string_view> value = cookie_value(request.headers, cookie_name);
  if (!value) return std::nullopt;
  for (std::size_t i = 0; i < members_.size(); ++i) {
    if (members_[i].cookie == *value) return i;
  }
  return std::nullopt;
}

std::string_view Balancer::cookie_for(std::size_t index, http::Exchange& exchange) const {
  if (settings_.policy != Balance::cookie) return {};
  const std::string& own = member(index).cookie;
  const http::Request& request = exchange.request;
  if (cookie_value(request.headers, cookie_name) == std::string_view(own)) return {};
  return exchange.arena.concat(
      exchange.arena.concat(cookie_name, "=", own), "; Path=/; HttpOnly; SameSite=Lax",
      request.scheme == "https" ? std::string_view("; Secure") : std::string_view());
}

// One that has just come back gets its share little by little.
bool Balancer::has_warmed_up(std::size_t index) {
  if (settings_.slow_start_ms == 0) return true;
  const std::int64_t since_ms = member(index).health->up_since_ms.load(std::memory_order_relaxed);
  if (since_ms == 0) return true;
  const std::int64_t warm_ms = coarse_clock().monotonic_ms - since_ms;
  if (warm_ms >= settings_.slow_start_ms) return true;
  const auto lot = static_cast<std::int64_t>(random() >> 33) % settings_.slow_start_ms;
  return lot < warm_ms;
}

void Balancer::learn(std::size_t index, bool answered) {
  if (settings_.fails == 0) return;
  UpstreamState& state = *member(index).health;
  if (answered) {
    if (state.fails.load(std::memory_order_relaxed) != 0) state.fails = 0;
    return;
  }
  if (++state.fails < settings_.fails) return;
  state.fails = 0;
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  state.out_until_ms = now_ms + settings_.out_ms;
  state.up_since_ms = now_ms + settings_.out_ms;
  log::warn("upstream.out", log::kv("upstream", at(index).settings().text),
            log::kv("fails", settings_.fails), log::kv("for_ms", settings_.out_ms));
}

std::size_t Balancer::draw() { return static_cast<std::size_t>(random() >> 32) % members_.size(); }

// Source: Marsaglia, "Xorshift RNGs" (2003).
std::uint64_t Balancer::random() {
  random_ ^= random_ << 13;
  random_ ^= random_ >> 7;
  random_ ^= random_ << 17;
  return random_;
}

std::size_t Balancer::less_busy(std::size_t a, std::size_t b) const noexcept {
  return at(b).in_use() < at(a).in_use() ? b : a;
}

// Starts the search at another place each time, so that equals take turns.
std::size_t Balancer::least_busy() noexcept {
  std::size_t best = next_++ % members_.size();
  for (std::size_t i = 1; i < members_.size(); ++i) {
    best = less_busy(best, (next_ - 1 + i) % size());
  }
  return best;
}

}  // namespace portero::proxy
