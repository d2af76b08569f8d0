// SipHash-1-3 with a key drawn at start: channel names and user ids come from strangers, and a
// hash they can compute would let them put all their channels into one bucket or on one worker.
// Thread: any (pure). Source: Aumasson and Bernstein, "SipHash: a fast short-input PRF" (2012).
#pragma once

#include <cstdint>
#include <string_view>

namespace portero::hub {

struct HashKey {
  std::uint64_t first = 0;
  std::uint64_t second = 0;
};

std::uint64_t keyed_hash(const HashKey& key, std::string_view text) noexcept;

// The key of this process, drawn on first use; the same for all workers.
const HashKey& process_hash_key() noexcept;

// For unordered containers of text; finds by std::string_view without a copy.
struct KeyedHash {
  using is_transparent = void;
  std::size_t operator()(std::string_view text) const noexcept {
    return keyed_hash(process_hash_key(), text);
  }
};

}  // namespace portero::hub
