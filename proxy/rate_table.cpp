#include "proxy/rate_table.hpp"

#include <algorithm>

#include "base/hash.hpp"
#include "net/crypto.hpp"

namespace portero::proxy {

std::uint64_t rate_key(std::string_view scope, std::string_view value) noexcept {
  static const std::uint64_t seed = net::random_u64();
  const std::uint64_t key = mix_bits(add_to_hash(add_to_hash(seed, scope), value));
  return key == 0 ? 1 : key;
}

void RateTable::prepare() {
  std::call_once(prepared_, [this] { sets_ = std::make_unique<std::array<Set, sets>>(); });
}

RateTable::Verdict RateTable::take(std::uint64_t key, const Limit& limit,
                                   std::int64_t now_us) noexcept {
  Set& set = (*sets_)[key % sets];
  const std::lock_guard lock(set.mutex);
  Place& place = find_place(set, key, now_us);
  const std::int64_t full_at_us = std::max(place.full_at_us, now_us);
  const std::int64_t room_us = limit.burst * limit.interval_us;
  const std::int64_t after_us = full_at_us + limit.interval_us - now_us;
  Verdict verdict;
  verdict.allowed = after_us <= room_us;
  if (verdict.allowed) {
    place.full_at_us = now_us + after_us;
    place.refused = false;
    verdict.full_us = after_us;
    verdict.remaining = (room_us - after_us) / limit.interval_us;
  } else {
    verdict.first_refusal = !place.refused;
    place.refused = true;
    verdict.full_us = full_at_us - now_us;
  }
  if (verdict.remaining == 0) {
    verdict.next_token_us = verdict.full_us + limit.interval_us - room_us;
  }
  return verdict;
}

// The place of that key, or one for it: a free or full one, else the one nearest to full.
RateTable::Place& RateTable::find_place(Set& set, std::uint64_t key, std::int64_t now_us) noexcept {
  Place* spare = &set.places.front();
  for (Place& place : set.places) {
    if (place.key == key) return place;
    if (place.full_at_us < spare->full_at_us) spare = &place;
  }
  *spare = {key, now_us, false};
  return *spare;
}

}  // namespace portero::proxy
