// The Date field. Formatted once per second and thread, so a response pays a copy.
// Source: RFC 9110 §5.6.7 (IMF-fixdate).
// Thread: http_date_now() keeps one text per thread; the view is good until the next second's call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace portero::http {

constexpr std::size_t http_date_bytes = 29;  // "Sun, 06 Nov 1994 08:49:37 GMT"

using HttpDate = std::array<char, http_date_bytes>;

// Units: seconds since 1970. Limits: years 1970 to 9999.
HttpDate format_http_date(std::int64_t unix_seconds) noexcept;

// Reads the three forms that a date may have: "Sun, 06 Nov 1994 08:49:37 GMT", "Sunday, 06-Nov-94
// 08:49:37 GMT", "Sun Nov  6 08:49:37 1994". The name of the day is not looked at.
// Units: seconds since 1970. Nothing for what is no date.
std::optional<std::int64_t> parse_http_date(std::string_view text) noexcept;

// The date by coarse_clock().
std::string_view http_date_now() noexcept;

}  // namespace portero::http
