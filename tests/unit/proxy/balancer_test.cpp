#include "proxy/balancer.hpp"

#include <map>
#include <set>
#include <string>

#include <doctest/doctest.h>

#include "net/loop.hpp"
#include "proxy/reverse_proxy.hpp"
#include "unit/proxy/fake_exchange.hpp"
#include "unit/proxy/proxy_harness.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;
using portero::proxy::test::QuietLog;

namespace {

struct Rig {
  net::Loop loop;
  std::vector<PoolRef> pools;
  std::vector<UpstreamStatePointer> health;

  explicit Rig(std::uint16_t count = 4) {
    for (std::uint16_t port = 1; port <= count; ++port) {
      UpstreamSettings settings;
      settings.host = "127.0.0.1";
      settings.port = port;
      settings.text = "127.0.0.1:" + std::to_string(port);
      Explained<PoolRef> made = UpstreamPool::create(loop, settings);
      REQUIRE(made);
      pools.push_back(*made);
      health.push_back(std::make_shared<UpstreamState>());
    }
  }
  Balancer balancer(BalanceSettings settings) { return {std::move(settings), pools, health}; }
};

BalanceSettings policy(Balance balance) {
  BalanceSettings settings;
  settings.policy = balance;
  settings.cookie_key = "key";
  return settings;
}

std::string cookie_header(std::string_view set_cookie) {
  return std::string(set_cookie.substr(0, set_cookie.find(';')));
}

}  // namespace

TEST_CASE("balancer: each policy of chance reaches every upstream and respects who is busy") {
  Rig rig;
  FakeExchange exchange("GET", "/", "a");
  for (const char* name : {"two_random", "random", "round_robin", "least_conn", "cookie"}) {
    CAPTURE(name);
    Balancer balancer = rig.balancer(policy(*balance_from_text(name)));
    std::set<std::size_t> seen;
    for (int i = 0; i < 200; ++i) seen.insert(balancer.choose(exchange.request));
    CHECK(seen.size() == 4);
  }
  CHECK_FALSE(balance_from_text("luck"));
  const Lease a(rig.pools[0]);
  const Lease b(rig.pools[1]);
  const Lease c(rig.pools[3]);
  Balancer least = rig.balancer(policy(Balance::least_conn));
  for (int i = 0; i < 8; ++i) CHECK(least.choose(exchange.request) == 2);
}

TEST_CASE("balancer: a hash leads to the same upstream, and moves only those of one that is out") {
  Rig rig;
  Balancer balancer = rig.balancer(policy(Balance::uri_hash));
  std::map<std::string, std::size_t> before;
  std::set<std::size_t> seen;
  for (int i = 0; i < 400; ++i) {
    const std::string target = "/" + std::to_string(i) + "?q";
    FakeExchange exchange("GET", target, "a");
    before[target] = balancer.choose(exchange.request);
    seen.insert(before[target]);
    CHECK(balancer.choose(exchange.request) == before[target]);
  }
  CHECK(seen.size() == 4);
  rig.health[2]->is_down = true;
  for (const auto& [target, index] : before) {
    FakeExchange exchange("GET", target, "a");
    const std::size_t now = balancer.choose(exchange.request);
    CHECK(now != 2);
    if (index != 2) CHECK(now == index);
  }
  for (const UpstreamStatePointer& state : rig.health) state->is_down = true;
  FakeExchange exchange("GET", "/0?q", "a");
  CHECK(balancer.choose(exchange.request) == before["/0?q"]);  // all are out: as if none were
}

TEST_CASE("balancer: ip_hash keeps a client, and all of an IPv6 customer") {
  Rig rig;
  Balancer balancer = rig.balancer(policy(Balance::ip_hash));
  const auto of = [&](const char* address) {
    FakeExchange exchange("GET", "/", "a");
    exchange.request.client_ip = *IpAddress::parse(address);
    return balancer.choose(exchange.request);
  };
  std::set<std::size_t> seen;
  for (int i = 0; i < 100; ++i) seen.insert(of(("192.0.2." + std::to_string(i)).c_str()));
  CHECK(seen.size() == 4);
  for (int i = 1; i < 9; ++i) {
    CHECK(of(("2001:db8:7:1::" + std::to_string(i)).c_str()) == of("2001:db8:7:1::"));
  }
}

TEST_CASE("balancer: a cookie leads back, a forged one nowhere") {
  Rig rig;
  Balancer balancer = rig.balancer(policy(Balance::cookie));
  FakeExchange first("GET", "/", "a");
  const std::string set(balancer.cookie_for(3, first));
  CHECK(set.starts_with("portero_upstream="));
  CHECK(set.ends_with("; Path=/; HttpOnly; SameSite=Lax"));
  const std::string cookie = "a=1; " + cookie_header(set);
  for (int i = 0; i < 50; ++i) {
    FakeExchange exchange("GET", "/", "a");
    exchange.request.headers.add("Cookie", cookie, http::FieldId::cookie);
    CHECK(balancer.choose(exchange.request) == 3);
    CHECK(balancer.cookie_for(3, exchange).empty());
    CHECK_FALSE(balancer.cookie_for(1, exchange).empty());
  }
  BalanceSettings other_key = policy(Balance::cookie);
  other_key.cookie_key = "another";
  Balancer other = rig.balancer(other_key);
  std::set<std::size_t> seen;
  for (int i = 0; i < 200; ++i) {
    FakeExchange exchange("GET", "/", "a");
    exchange.request.headers.add("Cookie", cookie, http::FieldId::cookie);
    seen.insert(other.choose(exchange.request));
  }
  CHECK(seen.size() == 4);
  rig.health[3]->is_down = true;
  FakeExchange moved("GET", "/", "a");
  moved.request.headers.add("Cookie", cookie, http::FieldId::cookie);
  CHECK(balancer.choose(moved.request) != 3);
}

TEST_CASE("balancer: failures in a row put an upstream out for a while, and warm it up after") {
  const QuietLog quiet;
  Rig rig(2);
  BalanceSettings settings = policy(Balance::round_robin);
  settings.fails = 3;
  settings.out_ms = 1'000;
  settings.slow_start_ms = 1'000'000;
  Balancer balancer = rig.balancer(settings);
  FakeExchange exchange("GET", "/", "a");
  balancer.learn(0, false);
  balancer.learn(0, false);
  balancer.learn(0, true);
  balancer.learn(0, false);
  balancer.learn(0, false);
  CHECK(balancer.is_fit(0));
  balancer.learn(0, false);
  CHECK_FALSE(balancer.is_fit(0));
  for (int i = 0; i < 10; ++i) CHECK(balancer.choose(exchange.request) == 1);
  // Back since a moment ago: hardly anything goes there yet.
  rig.health[0]->out_until_ms = 0;
  rig.health[0]->up_since_ms = coarse_clock().monotonic_ms - 1;
  int to_first = 0;
  for (int i = 0; i < 200; ++i) to_first += balancer.choose(exchange.request) == 0 ? 1 : 0;
  CHECK(to_first < 10);
  rig.health[0]->up_since_ms = coarse_clock().monotonic_ms - 1'000'000;
  to_first = 0;
  for (int i = 0; i < 200; ++i) to_first += balancer.choose(exchange.request) == 0 ? 1 : 0;
  CHECK(to_first == 100);
}

TEST_CASE("retry budget: a first few, then a share of the requests") {
  RetryBudget budget(20);
  int spent = 0;
  while (budget.spend()) ++spent;
  CHECK(spent == 10);
  for (int i = 0; i < 100; ++i) budget.note_request();
  spent = 0;
  while (budget.spend()) ++spent;
  CHECK((spent == 20 || spent == 19));
  RetryBudget none(0);
  while (none.spend()) ++spent;
  for (int i = 0; i < 100; ++i) none.note_request();
  CHECK_FALSE(none.has_token());
}
