// The Date field. Formatted once per second and thread, so a response pays a copy.
// Source: RFC 9110 §5.6.7 (IMF-fixdate).
// Thread: http_date_now() keeps one text per thread; the view is good until the next second's call.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace portero::http {

constexpr std::size_t http_date_bytes = 29;  // "Sun, 06 Nov 1994 08:49:37 GMT"

using HttpDate = std::array<char, http_date_bytes>;

// Units: seconds since 1970. Limits: years 1970 to 9999.
HttpDate format_http_date(std::int64_t unix_seconds) noexcept;

// The date by coarse_clock().
std::string_view http_date_now() noexcept;

}  // namespace portero::http
