#include "conf/units.hpp"

#include <doctest/doctest.h>

namespace portero::conf {
namespace {

std::int64_t milliseconds(std::string_view text) {
  const Parsed<Duration> parsed = parse_duration(text);
  return parsed ? parsed->count() : -1;
}

std::int64_t bytes(std::string_view text) {
  const Parsed<std::uint64_t> parsed = parse_size(text);
  return parsed ? static_cast<std::int64_t>(*parsed) : -1;
}

std::string meant_duration(std::string_view text) {
  const Parsed<Duration> parsed = parse_duration(text);
  return parsed ? "valid" : parsed.error().suggestion;
}

std::string meant_size(std::string_view text) {
  const Parsed<std::uint64_t> parsed = parse_size(text);
  return parsed ? "valid" : parsed.error().suggestion;
}

}  // namespace

TEST_CASE("units: durations are sums of units that become smaller") {
  CHECK(milliseconds("0") == 0);
  CHECK(milliseconds("0s") == 0);
  CHECK(milliseconds("100ms") == 100);
  CHECK(milliseconds("30s") == 30'000);
  CHECK(milliseconds("5m") == 300'000);
  CHECK(milliseconds("12h") == 43'200'000);
  CHECK(milliseconds("7d") == 604'800'000);
  CHECK(milliseconds("1h30m") == 5'400'000);
  CHECK(milliseconds("1d2h3m4s5ms") == 93'784'005);
  CHECK(milliseconds("3650d") == 3650ll * 86'400'000);
}

TEST_CASE("units: what is not a duration is refused") {
  for (const std::string_view text : {"",
                                      " ",
                                      "s",
                                      "10",
                                      "1.5h",
                                      "-5s",
                                      "+5s",
                                      "5 s",
                                      " 5s",
                                      "5s ",
                                      "30m1h",
                                      "1s1s",
                                      "5S",
                                      "5x",
                                      "1h30",
                                      "3651d",
                                      "3650d1ms",
                                      "99999999999999999999s",
                                      "9223372036854775807d",
                                      "٣s"}) {
    CAPTURE(text);
    CHECK(milliseconds(text) == -1);
  }
}

TEST_CASE("units: a duration with a usual slip is understood") {
  CHECK(meant_duration("30") == "30s");
  CHECK(meant_duration("30 s") == "30s");
  CHECK(meant_duration("5min") == "5m");
  CHECK(meant_duration("2 Hours") == "2h");
  CHECK(meant_duration("1day") == "1d");
  CHECK(meant_duration("soon").empty());
  CHECK(meant_duration("5 fortnights").empty());
}

TEST_CASE("units: sizes are powers of 1000 or of 1024, as spelled") {
  CHECK(bytes("0") == 0);
  CHECK(bytes("10000") == 10'000);
  CHECK(bytes("500B") == 500);
  CHECK(bytes("10KB") == 10'000);
  CHECK(bytes("10kb") == 10'000);
  CHECK(bytes("64KiB") == 65'536);
  CHECK(bytes("10MB") == 10'000'000);
  CHECK(bytes("1MiB") == 1'048'576);
  CHECK(bytes("1GB") == 1'000'000'000);
  CHECK(bytes("1GiB") == 1'073'741'824);
  CHECK(bytes("2TiB") == 2'199'023'255'552);
}

TEST_CASE("units: what is not a size is refused, and a single letter is asked about") {
  for (const std::string_view text : {"", "KB", "10 KB", "1.5MB", "-1", "10Q", "10KBB",
                                      "9007199254740993", "99999999999GiB", "10PiB"}) {
    CAPTURE(text);
    CHECK(bytes(text) == -1);
  }
  CHECK(meant_size("10K") == "10KB");
  CHECK(meant_size("10m") == "10MB");
  CHECK(meant_size("10 MiB") == "10MiB");
  CHECK(meant_size("10 bananas").empty());
}

TEST_CASE("units: rates have a count, a period and perhaps a subject") {
  const Parsed<Rate> per_second = parse_rate("100/s per client_ip");
  REQUIRE(per_second.has_value());
  CHECK(per_second->count == 100);
  CHECK(per_second->per == Duration(1'000));
  CHECK(per_second->subject == "client_ip");
  CHECK(parse_rate("60/min per connection")->per == Duration(60'000));
  CHECK(parse_rate("5/10s")->per == Duration(10'000));
  CHECK(parse_rate("7/h")->per == Duration(3'600'000));
  CHECK(parse_rate("7/d")->subject.empty());
  for (const std::string_view text :
       {"", "100", "/s", "100/", "100/x", "100/0s", "100/s per", "100/s of client_ip",
        "100/s per a b", "100 / s", "9999999999/s"}) {
    CAPTURE(text);
    CHECK(!parse_rate(text).has_value());
  }
}

TEST_CASE("units: quotas have a count and perhaps a subject") {
  CHECK(parse_quota("50 per client_ip")->count == 50);
  CHECK(parse_quota("50 per client_ip")->subject == "client_ip");
  CHECK(parse_quota("50")->subject.empty());
  for (const std::string_view text : {"", "per client_ip", "50per client_ip", "50 client_ip",
                                      "50/s", "50 per", "-1", "9999999999"}) {
    CAPTURE(text);
    CHECK(!parse_quota(text).has_value());
  }
}

TEST_CASE("units: whole numbers keep their bounds") {
  CHECK(*parse_integer("80", {1, 65535}) == 80);
  CHECK(*parse_integer("-5", {-10, 10}) == -5);
  for (const std::string_view text :
       {"", "0", "65536", "80.0", "0x50", " 80", "8 0", "--1", "-", "99999999999999999999"}) {
    CAPTURE(text);
    CHECK(!parse_integer(text, {1, 65535}).has_value());
  }
}

TEST_CASE("units: printed durations and sizes are read back as the same") {
  for (const std::int64_t value : {0ll, 1ll, 999ll, 1'000ll, 61'000ll, 5'400'000ll, 93'784'005ll}) {
    CHECK(milliseconds(format_duration(Duration(value))) == value);
  }
  for (const std::int64_t value : {0ll, 1ll, 1'000ll, 1'024ll, 10'000ll, 65'536ll, 100'000'000ll}) {
    CHECK(bytes(format_size(static_cast<std::uint64_t>(value))) == value);
  }
  CHECK(format_duration(Duration(90'000)) == "1m30s");
  CHECK(format_size(65'536) == "64KiB");
  CHECK(format_size(10'000) == "10KB");
}

}  // namespace portero::conf
