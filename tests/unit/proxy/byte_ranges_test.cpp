#include "proxy/byte_ranges.hpp"

#include <string>

#include <doctest/doctest.h>

using namespace portero;
using namespace portero::proxy;

namespace {

// "whole", "none", or the ranges as "first+count".
std::string read(std::string_view field, std::uint64_t size = 1'000) {
  const ByteRanges ranges(field, size);
  if (ranges.answer() == ByteRanges::Answer::whole) return "whole";
  if (ranges.answer() == ByteRanges::Answer::unsatisfiable) return "none";
  std::string text;
  for (const ByteRange& range : ranges.ranges()) {
    if (!text.empty()) text += ' ';
    text += std::to_string(range.first) + '+' + std::to_string(range.count);
  }
  return text;
}

}  // namespace

TEST_CASE("byte_ranges: one range of each form") {
  CHECK(read("bytes=0-0") == "0+1");
  CHECK(read("bytes=0-499") == "0+500");
  CHECK(read("bytes=500-") == "500+500");
  CHECK(read("bytes=-200") == "800+200");
  CHECK(read("BYTES = 1-2") == "1+2");
  CHECK(read("bytes=990-5000") == "990+10");
  CHECK(read("bytes=-5000") == "0+1000");
  CHECK(read("bytes=999-999") == "999+1");
}

TEST_CASE("byte_ranges: several, of which those beyond the end are left out") {
  CHECK(read("bytes=0-9, 20-29 ,-10") == "0+10 20+10 990+10");
  CHECK(read("bytes=,0-9,,") == "0+10");
  CHECK(read("bytes=0-9,2000-") == "0+10");
}

TEST_CASE("byte_ranges: beyond the end is not satisfiable") {
  CHECK(read("bytes=1000-") == "none");
  CHECK(read("bytes=5000-6000,7000-") == "none");
  CHECK(read("bytes=-0") == "none");
  CHECK(read("bytes=0-0", 0) == "none");
}

TEST_CASE("byte_ranges: another unit is not looked at, what is no range is refused") {
  for (const char* field : {"", "bytes", "lines=0-1"}) CHECK(read(field) == "whole");
  for (const char* field :
       {"bytes=", "bytes=,", "bytes=a-b", "bytes=5", "bytes=-", "bytes=9-5", "bytes=0-9,x",
        "bytes=--5", "bytes=-9223372036854775808", "bytes=0x1-2", "bytes=0-99999999999999999999"}) {
    CAPTURE(field);
    CHECK(read(field) == "none");
  }
}

TEST_CASE("byte_ranges: a request for more than there is gets the whole") {
  std::string many = "bytes=0-0";
  for (std::size_t i = 1; i < ByteRanges::ranges_max; ++i) many += ",0-0";
  CHECK(read(many).starts_with("0+1 0+1"));
  CHECK(read(many + ",0-0") == "whole");
  CHECK(read("bytes=0-,0-") == "whole");
}
