#include "proxy/rate_table.hpp"

#include <atomic>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace portero::proxy;

namespace {

constexpr std::int64_t second = 1'000'000;

}  // namespace

TEST_CASE("rate_table: a bucket gives its burst, then a token for each interval") {
  RateTable table;
  table.prepare();
  const RateTable::Limit limit{second, 3};
  const std::uint64_t key = rate_key("scope", "a");
  for (const std::int64_t left : {2, 1, 0}) {
    const RateTable::Verdict verdict = table.take(key, limit, 100 * second);
    CHECK(verdict.allowed);
    CHECK(verdict.remaining == left);
  }
  const RateTable::Verdict refused = table.take(key, limit, 100 * second);
  CHECK_FALSE(refused.allowed);
  CHECK(refused.first_refusal);
  CHECK(refused.next_token_us == second);
  CHECK(refused.full_us == 3 * second);
  CHECK_FALSE(table.take(key, limit, 100 * second + 1).first_refusal);
  CHECK(table.take(key, limit, 101 * second).allowed);
  const RateTable::Verdict again = table.take(key, limit, 101 * second);
  CHECK_FALSE(again.allowed);
  CHECK(again.first_refusal);
  CHECK(table.take(key, limit, 200 * second).remaining == 2);
}

TEST_CASE("rate_table: keys have buckets of their own") {
  RateTable table;
  table.prepare();
  const RateTable::Limit limit{second, 1};
  CHECK(table.take(rate_key("a", "x"), limit, second).allowed);
  CHECK(table.take(rate_key("a", "y"), limit, second).allowed);
  CHECK(table.take(rate_key("b", "x"), limit, second).allowed);
  CHECK_FALSE(table.take(rate_key("a", "x"), limit, second).allowed);
  CHECK(rate_key("ab", "c") != rate_key("a", "bc"));
}

TEST_CASE("rate_table: a flood of other keys costs the busiest nothing") {
  RateTable table;
  table.prepare();
  const RateTable::Limit slow{3'600 * second, 1};
  const RateTable::Limit fast{1, 1};
  const std::uint64_t key = rate_key("login", "192.0.2.1");
  REQUIRE(table.take(key, slow, second).allowed);
  for (int i = 0; i < 1'000'000; ++i) {
    table.take(rate_key("pages", std::to_string(i)), fast, second + i);
  }
  CHECK_FALSE(table.take(key, slow, 3 * second).allowed);
}

TEST_CASE("rate_table: threads share a bucket") {
  RateTable table;
  table.prepare();
  const RateTable::Limit limit{second, 1'000};
  std::atomic<int> allowed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int j = 0; j < 1'000; ++j) {
        if (table.take(rate_key("s", "v"), limit, second).allowed) ++allowed;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(allowed == 1'000);
}
