// Hashes for tables and spreading; none for secrets.
// Thread: any (pure).
#pragma once

#include <cstdint>
#include <string_view>

namespace portero {

// Spreads every bit over all 64. Source: the finaliser of SplitMix64 (Steele, Lea, Flood 2014).
constexpr std::uint64_t mix_bits(std::uint64_t x) noexcept {
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9U;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebU;
  return x ^ (x >> 31);
}

// Adds a text to a hash; the result is to be mixed. Source: FNV-1a (Fowler, Noll, Vo).
constexpr std::uint64_t add_to_hash(std::uint64_t hash, std::string_view text) noexcept {
  for (const char c : text) {
    hash ^= static_cast<unsigned char>(c);
    hash *= 0x100000001b3U;
  }
  return hash ^ text.size();  // so that the border between two texts counts
}

}  // namespace portero
