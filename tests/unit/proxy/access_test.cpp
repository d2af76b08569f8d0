#include "proxy/access.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <string>

#include <doctest/doctest.h>

#include "base/clock.hpp"

using namespace portero;
using namespace portero::proxy;

namespace {

IpAddress ip(const char* text) { return *IpAddress::parse(text); }

}  // namespace

TEST_CASE("access: all are allowed until somebody is named, and deny counts more") {
  CHECK(AccessList().admits(ip("192.0.2.1")));
  const AccessList some({"192.0.2.0/24", "2001:db8::/32"}, {"192.0.2.7"});
  CHECK(some.admits(ip("192.0.2.1")));
  CHECK(some.admits(ip("2001:db8::1")));
  CHECK_FALSE(some.admits(ip("192.0.2.7")));
  CHECK_FALSE(some.admits(ip("198.51.100.1")));
  CHECK_FALSE(some.admits(ip("2001:db9::1")));
  const AccessList all_but({}, {"10.0.0.0/8"});
  CHECK(all_but.admits(ip("192.0.2.1")));
  CHECK_FALSE(all_but.admits(ip("10.1.2.3")));
}

TEST_CASE("access: the flag of a maintenance is looked for twice a second, and some may pass") {
  char path[] = "/tmp/portero-flag-XXXXXX";
  const int file = ::mkstemp(path);
  REQUIRE(file >= 0);
  ::close(file);
  const MaintenanceFlag flag(path, {});
  const MaintenanceFlag with_exempt(path, {"192.0.2.0/24"});
  CHECK(flag.is_up_for(ip("192.0.2.1")));
  CHECK_FALSE(with_exempt.is_up_for(ip("192.0.2.1")));
  CHECK(with_exempt.is_up_for(ip("198.51.100.1")));
  ::unlink(path);
  CHECK(flag.is_up_for(ip("192.0.2.1")));
  coarse_clock().monotonic_ms += MaintenanceFlag::check_period_ms;
  CHECK_FALSE(flag.is_up_for(ip("192.0.2.1")));
  CHECK_FALSE(with_exempt.is_up_for(ip("198.51.100.1")));
  coarse_clock().update();
}
