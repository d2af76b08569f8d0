// The units of the site file: durations, sizes, rates, quotas, numbers. Pure.
// Thread: any.
#pragma once

#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>

#include <boost/system/result.hpp>

#include "conf/config.hpp"

namespace portero::conf {

// Why a text was refused, for people: `"5x" has no unit`, and the text that was probably meant.
struct UnitError {
  UnitError() = default;
  UnitError(std::string why, std::string meant)
      : message(std::move(why)), suggestion(std::move(meant)) {}
  std::string message;
  std::string suggestion;
};

template <class T>
using Parsed = boost::system::result<T, UnitError>;

// Parses "30s", "5m", "12h", "7d", "100ms", "1h30m", or "0".
// Limits: 3650 days.
Parsed<Duration> parse_duration(std::string_view text);

// Parses "64KiB", "10MB", "1GiB", "500B" or plain bytes.
// Units: KB, MB, GB, TB are powers of 1000; KiB, MiB, GiB, TiB powers of 1024. Limits: 2^53 bytes.
Parsed<std::uint64_t> parse_size(std::string_view text);

// "100/s per client_ip": so many in so long, counted for each `subject`.
struct Rate {
  unsigned count = 0;
  Duration per{0};
  std::string subject;  // "" when not given
};
Parsed<Rate> parse_rate(std::string_view text);

// "50 per client_ip": so many at the same time.
struct Quota {
  unsigned count = 0;
  std::string subject;
};
Parsed<Quota> parse_quota(std::string_view text);

// A whole number within bounds.
struct Bounds {
  std::int64_t min = 0;
  std::int64_t max = std::numeric_limits<std::int64_t>::max();
};
Parsed<std::int64_t> parse_integer(std::string_view text, Bounds bounds);

// "0640": the permissions of a file, in octal; nothing for anything else.
std::optional<unsigned> parse_file_mode(std::string_view text);

// Prints the shortest text that parse_duration or parse_size reads back.
std::string format_duration(Duration duration);
std::string format_size(std::uint64_t bytes);

}  // namespace portero::conf
