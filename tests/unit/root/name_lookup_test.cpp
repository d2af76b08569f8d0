#include "name_lookup.hpp"

#include <atomic>
#include <mutex>

#include <doctest/doctest.h>

using namespace portero;
using namespace std::chrono_literals;

namespace {

std::atomic<int> asked{0};

std::mutex hanging;  // "hang" answers when it can be had

NameLookup::Addresses fake_resolve(const std::string& host, std::uint16_t port) {
  ++asked;
  if (host == "hang") const std::lock_guard lock(hanging);
  if (host == "unknown") return {};
  return {net::SocketAddress::from_ip(*IpAddress::parse("192.0.2.1"), port)};
}

}  // namespace

TEST_CASE("name_lookup: names that resolve are there, others are absent") {
  NameLookup lookup(&fake_resolve);
  const ResolvedNames found = lookup.resolve({{"a.test", 80}, {"unknown", 80}}, 10s);
  REQUIRE(found.size() == 1);
  CHECK(found.at("a.test:80").at(0).to_string() == "192.0.2.1:80");
}

TEST_CASE("name_lookup: one that hangs holds up neither the others nor the end") {
  asked = 0;
  std::unique_lock hang(hanging);
  {
    NameLookup lookup(&fake_resolve);
    CHECK(lookup.resolve({{"hang", 80}, {"a.test", 80}}, 50ms).size() == 1);
    CHECK(lookup.resolve({{"hang", 80}}, 1ms).empty());
    CHECK(asked == 2);  // what hangs is not asked for a second time
    SUBCASE("its answer serves who asks next") {
      hang.unlock();
      CHECK(lookup.resolve({{"hang", 80}}, 10s).size() == 1);
    }
    SUBCASE("it may outlast the object") {}
  }
}

TEST_CASE("name_lookup: after stop() nobody waits") {
  const std::lock_guard hang(hanging);
  NameLookup lookup(&fake_resolve);
  lookup.stop();
  CHECK(lookup.resolve({{"hang", 80}}, 1h).empty());
}
