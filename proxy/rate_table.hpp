// RateTable: token buckets of `limits`, one table for requests, handshakes and sockets, shared by
// all workers. A bucket is one number, the time at which it will be full again (GCRA, ITU-T I.371),
// so a bucket that is full is the same as none and its place may be taken.
// Thread: any. Limits: fixed size; when every place of a set is in use, the bucket that is nearest
// to full gives way, which forgives that client a little.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string_view>

namespace portero::proxy {

// A key of the table. Two keys that collide share a bucket: 64 bits, seeded per process.
std::uint64_t rate_key(std::string_view scope, std::string_view value) noexcept;

class RateTable {
 public:
  static constexpr std::size_t sets = 16'384;
  static constexpr std::size_t places_per_set = 8;

  struct Limit {
    std::int64_t interval_us = 0;  // between two tokens
    std::int64_t burst = 1;        // tokens in a full bucket
  };
  struct Verdict {
    bool allowed = true;
    std::int64_t remaining = 0;      // tokens left
    std::int64_t next_token_us = 0;  // until there is one again, when none is left; else 0
    std::int64_t full_us = 0;        // until the bucket is full again
    bool first_refusal = false;      // since the bucket was last good for a token
  };

  RateTable() = default;
  RateTable(const RateTable&) = delete;
  RateTable& operator=(const RateTable&) = delete;

  // Makes the table, some 4 MiB; to be called before take(), as often as one likes.
  void prepare();
  // Takes a token from the bucket of `key`, if there is one.
  Verdict take(std::uint64_t key, const Limit& limit, std::int64_t now_us) noexcept;

 private:
  struct Place {
    std::uint64_t key = 0;  // 0 = free
    std::int64_t full_at_us = 0;
    bool refused = false;  // the last one who asked was
  };
  struct Set {
    std::mutex mutex;
    std::array<Place, places_per_set> places{};
  };
  static Place& find_place(Set& set, std::uint64_t key, std::int64_t now_us) noexcept;

  std::once_flag prepared_;
  std::unique_ptr<std::array<Set, sets>> sets_;
};

}  // namespace portero::proxy
