#include "base/ip_address.hpp"

#include <doctest/doctest.h>

using namespace portero;

TEST_CASE("ip_address: prints what it parsed") {
  for (const char* text : {"192.0.2.1", "0.0.0.0", "255.255.255.255", "2001:db8::1", "::", "::1"}) {
    CAPTURE(text);
    const auto address = IpAddress::parse(text);
    REQUIRE(address.has_value());
    CHECK(address->to_string() == text);
  }
  CHECK(IpAddress::parse("[2001:db8::1]")->to_string() == "2001:db8::1");
}

TEST_CASE("ip_address: refuses what is not one address") {
  for (const char* text :
       {"", "1.2.3", "1.2.3.4.5", "256.1.1.1", "1.2.3.4 ", "01.2.3.4x", "::g", "[::1", "localhost",
        "1.2.3.4:80", "1234567890123456789012345678901234567890123456789"}) {
    CAPTURE(text);
    CHECK_FALSE(IpAddress::parse(text).has_value());
  }
}

TEST_CASE("ip_address: an IPv4-mapped address is the IPv4 address") {
  CHECK(IpAddress::parse("::ffff:192.0.2.1") == IpAddress::parse("192.0.2.1"));
  CHECK(IpAddress::parse("::ffff:192.0.2.1")->is_v4());
  CHECK_FALSE(IpAddress::parse("2001:db8::1")->is_v4());
}

TEST_CASE("ip_address: knows the loopback ranges") {
  CHECK(IpAddress::parse("127.0.0.1")->is_loopback());
  CHECK(IpAddress::parse("127.255.0.9")->is_loopback());
  CHECK(IpAddress::parse("::1")->is_loopback());
  CHECK_FALSE(IpAddress::parse("128.0.0.1")->is_loopback());
  CHECK_FALSE(IpAddress::parse("::")->is_loopback());
}

TEST_CASE("ip_address: a network contains its addresses up to the last bit") {
  const auto network = IpNetwork::parse("10.64.0.0/10");
  REQUIRE(network.has_value());
  CHECK(network->contains(*IpAddress::parse("10.64.0.0")));
  CHECK(network->contains(*IpAddress::parse("10.127.255.255")));
  CHECK_FALSE(network->contains(*IpAddress::parse("10.128.0.0")));
  CHECK_FALSE(network->contains(*IpAddress::parse("10.63.255.255")));
}

TEST_CASE("ip_address: /0 contains every address of its family") {
  CHECK(IpNetwork::parse("0.0.0.0/0")->contains(*IpAddress::parse("203.0.113.9")));
  CHECK_FALSE(IpNetwork::parse("0.0.0.0/0")->contains(*IpAddress::parse("2001:db8::1")));
  CHECK(IpNetwork::parse("::/0")->contains(*IpAddress::parse("2001:db8::1")));
}

TEST_CASE("ip_address: a bare address is a network of one") {
  CHECK(IpNetwork::parse("192.0.2.1")->contains(*IpAddress::parse("192.0.2.1")));
  CHECK_FALSE(IpNetwork::parse("192.0.2.1")->contains(*IpAddress::parse("192.0.2.2")));
  CHECK(IpNetwork::parse("2001:db8::/32")->contains(*IpAddress::parse("2001:db8:ffff::1")));
}

TEST_CASE("ip_address: refuses prefixes that do not fit") {
  for (const char* text : {"10.0.0.0/33", "::/129", "10.0.0.0/", "10.0.0.0/-1", "/8", "x/8"}) {
    CAPTURE(text);
    CHECK_FALSE(IpNetwork::parse(text).has_value());
  }
}
