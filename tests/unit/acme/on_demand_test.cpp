#include "acme/on_demand.hpp"

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::acme;

TEST_CASE("on_demand: a budget of all clients, and one of each address") {
  Budget budget;
  const IpAddress one = *IpAddress::parse("192.0.2.1");
  const IpAddress other = *IpAddress::parse("192.0.2.2");
  const IpAddress third = *IpAddress::parse("2001:db8::1");
  const auto take = [&budget](const IpAddress& client, std::time_t now) {
    return budget.take(client, 5, 3, 60, now);
  };
  for (int i = 0; i < 3; ++i) CHECK(take(one, 100));
  CHECK_FALSE(take(one, 110));
  CHECK(take(other, 110));
  CHECK(take(other, 110));
  CHECK_FALSE(take(third, 159));
  CHECK(take(third, 160));
  CHECK(take(one, 161));
  // A clock that was set back begins a new period, too.
  CHECK(take(one, 50));
  CHECK(take(one, 50));
  CHECK(take(one, 50));
  CHECK_FALSE(take(one, 50));
}
