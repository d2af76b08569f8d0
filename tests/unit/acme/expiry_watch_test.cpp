#include "acme/expiry_watch.hpp"

#include <doctest/doctest.h>

using namespace portero::acme;

namespace {

constexpr std::time_t day = 24 * 3600;
const std::vector<unsigned> usual{14, 7, 3, 1};

std::size_t events_at(ExpiryWatch& watch, const WatchedCertificate& one, std::time_t now) {
  return watch.look({one}, usual, now).size();
}

}  // namespace

TEST_CASE("expiry: each number of days is told once, and the end") {
  ExpiryWatch watch;
  const WatchedCertificate one{"a.example.com", "CA", 0, 90 * day};
  CHECK(events_at(watch, one, 75 * day) == 0);
  const std::vector<Event> first = watch.look({one}, usual, 76 * day);
  REQUIRE(first.size() == 1);
  CHECK(first[0].kind == "certificate_expires");
  CHECK(first[0].name == "a.example.com");
  CHECK(first[0].text.find("expires in 14 days or less") != std::string::npos);
  CHECK(events_at(watch, one, 76 * day + 60) == 0);
  CHECK(events_at(watch, one, 83 * day) == 1);
  CHECK(events_at(watch, one, 88 * day) == 1);
  CHECK(watch.look({one}, usual, 89 * day).at(0).text.find("1 day or less") != std::string::npos);
  CHECK(watch.look({one}, usual, 90 * day).at(0).text.find("has expired") != std::string::npos);
  CHECK(events_at(watch, one, 91 * day) == 0);
}

TEST_CASE("expiry: a new certificate begins anew; a server that was off tells the nearest number") {
  ExpiryWatch watch;
  CHECK(events_at(watch, {"a", "CA", 0, 90 * day}, 88 * day) == 1);
  CHECK(events_at(watch, {"a", "CA", 88 * day, 178 * day}, 89 * day) == 0);
  CHECK(events_at(watch, {"a", "CA", 88 * day, 178 * day}, 171 * day) == 1);
}

TEST_CASE("expiry: certificates of six days are not told off at birth") {
  ExpiryWatch watch;
  const WatchedCertificate one{"a", "CA", 0, 6 * day};
  CHECK(events_at(watch, one, 0) == 0);
  CHECK(events_at(watch, one, 4 * day) == 0);
  CHECK(events_at(watch, one, 5 * day) == 1);
}
