#include "acme/schedule.hpp"

#include <doctest/doctest.h>

using namespace portero::acme;

namespace {
constexpr std::time_t hour = 3600;
constexpr std::time_t day = 24 * hour;
}  // namespace

TEST_CASE("schedule: nobody relies on a certificate in the last sixth of its life") {
  CHECK(reliable_until(0, 90 * day) == 75 * day);
  CHECK(reliable_until(10 * day, 16 * day) == 15 * day);
  CHECK(reliable_until(0, 90 * day) > renewal_time(0, 90 * day, 0));
}

TEST_CASE("schedule: waits grow from a minute to six hours") {
  const auto minutes = [](unsigned failures) { return retry_wait(failures, 0).count() / 60; };
  const long expected[] = {1,  2,  2,  5,  10, 10, 10, 20,  20,  20,  20,  30,  30,
                           30, 30, 30, 30, 60, 60, 60, 120, 120, 180, 180, 360, 360};
  unsigned failures = 0;
  for (const long wait : expected) CHECK(minutes(++failures) == wait);
  CHECK(minutes(100'000) == 360);
  CHECK(retry_wait(1, 1).count() == 66);
}

TEST_CASE("schedule: renewal comes at two thirds of the life, a little spread") {
  CHECK(renewal_time(0, 90 * day, 0) == 60 * day);
  CHECK(renewal_time(0, 6 * day, 0) == 4 * day);
  CHECK(renewal_time(0, 100 * day, 1) < renewal_time(0, 100 * day, 0));
  CHECK(renewal_time(0, 100 * day, 1) > 64 * day);
  CHECK(moment_in_window(1000, 2000, 0) == 1000);
  CHECK(moment_in_window(1000, 2000, 0.5) == 1500);
}

TEST_CASE("schedule: the ledger stops a crash loop") {
  const std::time_t now = 1'000'000'000;
  std::vector<std::time_t> orders;
  CHECK(order_allowed_at(orders, now) == now);
  for (std::size_t i = 0; i < orders_per_hour_max; ++i) {
    CHECK(order_allowed_at(orders, now) == now);
    orders.push_back(now - 60 + static_cast<std::time_t>(i));
  }
  CHECK(order_allowed_at(orders, now) == now - 60 + hour);
  CHECK(order_allowed_at(orders, now + hour) == now + hour);
  // One an hour is fine for a day, not for a week.
  orders.clear();
  for (std::size_t i = 0; i < orders_per_week_max; ++i) {
    orders.push_back(now + static_cast<std::time_t>(i) * hour);
  }
  const std::time_t later = orders.back() + hour;
  CHECK(order_allowed_at(orders, later) == now + 7 * day);
  forget_old_orders(orders, now + 7 * day + 2 * hour);
  CHECK(orders.size() == orders_per_week_max - 2);
}

TEST_CASE("schedule: orders of the future are forgotten: the clock was wrong") {
  std::vector<std::time_t> orders{1000, 900'000'000};
  forget_old_orders(orders, 2000);
  CHECK(orders == std::vector<std::time_t>{1000});
}
