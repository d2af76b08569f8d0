#include "http/date.hpp"

#include <string_view>

#include <doctest/doctest.h>

#include "base/clock.hpp"

using namespace portero;
using namespace portero::http;

namespace {

std::string_view view(const HttpDate& date) { return {date.data(), date.size()}; }

}  // namespace

TEST_CASE("date: formats as IMF-fixdate") {
  CHECK(view(format_http_date(784111777)) == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(view(format_http_date(0)) == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(view(format_http_date(951782400)) == "Tue, 29 Feb 2000 00:00:00 GMT");
  CHECK(view(format_http_date(4102444799)) == "Thu, 31 Dec 2099 23:59:59 GMT");
}

TEST_CASE("date: changes with the second of the clock, not before") {
  const CoarseClock before = coarse_clock();
  coarse_clock().unix_ms = 784111777'000;
  CHECK(http_date_now() == "Sun, 06 Nov 1994 08:49:37 GMT");
  coarse_clock().unix_ms += 999;
  CHECK(http_date_now() == "Sun, 06 Nov 1994 08:49:37 GMT");
  coarse_clock().unix_ms += 1;
  CHECK(http_date_now() == "Sun, 06 Nov 1994 08:49:38 GMT");
  coarse_clock() = before;
}
