#include "conf/units.hpp"

#include <array>
#include <optional>

#include <fmt/format.h>

#include "base/bytes.hpp"

namespace portero::conf {
namespace {

struct Unit {
  std::string_view name;
  std::uint64_t factor;
};

// Largest first: a duration writes its units in this order.
constexpr std::array<Unit, 5> duration_units = {{
    {"d", 86'400'000},
    {"h", 3'600'000},
    {"m", 60'000},
    {"s", 1'000},
    {"ms", 1},
}};

// Lower case; what people write for a unit.
constexpr std::array<std::pair<std::string_view, std::string_view>, 19> duration_words = {{
    {"sec", "s"},    {"secs", "s"}, {"second", "s"},        {"seconds", "s"},
    {"min", "m"},    {"mins", "m"}, {"minute", "m"},        {"minutes", "m"},
    {"hr", "h"},     {"hrs", "h"},  {"hour", "h"},          {"hours", "h"},
    {"day", "d"},    {"days", "d"}, {"msec", "ms"},         {"millis", "ms"},
    {"msecs", "ms"}, {"", "s"},     {"milliseconds", "ms"},
}};

constexpr std::array<Unit, 9> size_units = {{
    {"B", 1},
    {"KB", 1'000},
    {"MB", 1'000'000},
    {"GB", 1'000'000'000},
    {"TB", 1'000'000'000'000},
    {"KiB", 1ull << 10},
    {"MiB", 1ull << 20},
    {"GiB", 1ull << 30},
    {"TiB", 1ull << 40},
}};

constexpr std::uint64_t duration_max = 3650ull * 86'400'000;
constexpr std::uint64_t size_max = 1ull << 53;

// Takes the digits at the front. Errors: nullopt when there are none or the number is too long.
std::optional<std::uint64_t> take_number(std::string_view& text) {
  std::size_t digits = 0;
  while (digits < text.size() && text[digits] >= '0' && text[digits] <= '9') ++digits;
  const std::optional<std::uint64_t> number = parse_decimal(text.substr(0, digits));
  text.remove_prefix(digits);
  return number;
}

std::string_view take_letters(std::string_view& text) {
  std::size_t letters = 0;
  while (letters < text.size() && ascii_lower(text[letters]) >= 'a' &&
         ascii_lower(text[letters]) <= 'z') {
    ++letters;
  }
  const std::string_view unit = text.substr(0, letters);
  text.remove_prefix(letters);
  return unit;
}

// The text with usual spellings of units put right: "30 sec" becomes "30s"; "" when that fails.
std::string guess_duration(std::string_view text) {
  const std::optional<std::uint64_t> number = take_number(text);
  if (!number) return {};
  const std::string unit = to_lower(trim_ows(text));
  for (const Unit& known : duration_units) {
    if (unit == known.name) return fmt::format("{}{}", *number, unit);
  }
  for (const auto& [word, known] : duration_words) {
    if (unit == word) return fmt::format("{}{}", *number, known);
  }
  return {};
}

UnitError not_a(std::string_view what, std::string_view text, std::string suggestion) {
  return {fmt::format("\"{}\" is not {}", text, what), std::move(suggestion)};
}

std::string guess_size(std::string_view text) {
  const std::optional<std::uint64_t> number = take_number(text);
  if (!number) return {};
  const std::string_view unit = trim_ows(text);
  for (const Unit& known : size_units) {
    if (iequals(unit, known.name) || (unit.size() == 1 && iequals(unit, known.name.substr(0, 1)))) {
      return fmt::format("{}{}", *number, known.name);
    }
  }
  return {};
}

// Reads the end of a rate or quota: nothing, or " per subject".
std::optional<std::string> take_subject(std::string_view text) {
  text = trim_ows(text);
  if (text.empty()) return std::string();
  if (!text.starts_with("per ")) return std::nullopt;
  const std::string_view subject = trim_ows(text.substr(4));
  if (subject.empty() || subject.find(' ') != std::string_view::npos) return std::nullopt;
  return std::string(subject);
}

// "s", "min", "h" …, or a whole duration such as "10s".
std::optional<Duration> parse_period(std::string_view text) {
  if (!text.empty() && text.front() >= '0' && text.front() <= '9') {
    const Parsed<Duration> duration = parse_duration(text);
    if (!duration || duration->count() == 0) return std::nullopt;
    return *duration;
  }
  const std::string guess = text.empty() ? std::string() : guess_duration("1" + std::string(text));
  if (guess.empty()) return std::nullopt;
  return *parse_duration(guess);
}

}  // namespace

Parsed<Duration> parse_duration(std::string_view text) {
  if (text == "0") return Duration(0);
  std::string_view rest = text;
  std::uint64_t total = 0;
  std::size_t next_unit = 0;  // units may only become smaller
  do {
    const std::optional<std::uint64_t> number = take_number(rest);
    const std::string_view name = take_letters(rest);
    while (next_unit < duration_units.size() && duration_units[next_unit].name != name) ++next_unit;
    if (!number || next_unit == duration_units.size()) {
      return not_a("a duration", text, guess_duration(text));
    }
    const std::uint64_t factor = duration_units[next_unit++].factor;
    if (*number > duration_max / factor) {
      return UnitError{fmt::format("\"{}\" is longer than 3650d", text), {}};
    }
    total += *number * factor;
  } while (!rest.empty());
  if (total > duration_max) return UnitError{fmt::format("\"{}\" is longer than 3650d", text), {}};
  return Duration(static_cast<Duration::rep>(total));
}

Parsed<std::uint64_t> parse_size(std::string_view text) {
  std::string_view rest = text;
  const std::optional<std::uint64_t> number = take_number(rest);
  if (!number) return not_a("a size", text, {});
  std::uint64_t factor = rest.empty() ? 1 : 0;
  for (const Unit& unit : size_units) {
    if (iequals(rest, unit.name)) factor = unit.factor;
  }
  if (factor == 0) return not_a("a size", text, guess_size(text));
  if (*number > size_max / factor) {
    return UnitError{fmt::format("\"{}\" is larger than 8PiB", text), {}};
  }
  return *number * factor;
}

Parsed<Rate> parse_rate(std::string_view text) {
  std::string_view rest = text;
  const std::optional<std::uint64_t> count = take_number(rest);
  if (!count || *count > 1'000'000'000 || !rest.starts_with('/')) {
    return not_a("a rate", text, {});
  }
  rest.remove_prefix(1);
  const std::size_t space = std::min(rest.find(' '), rest.size());
  const std::optional<Duration> period = parse_period(rest.substr(0, space));
  const std::optional<std::string> subject = take_subject(rest.substr(space));
  if (!period || !subject) return not_a("a rate", text, {});
  return Rate{static_cast<unsigned>(*count), *period, *subject};
}

Parsed<Quota> parse_quota(std::string_view text) {
  std::string_view rest = text;
  const std::optional<std::uint64_t> count = take_number(rest);
  const std::optional<std::string> subject = take_subject(rest);
  if (!count || *count > 1'000'000'000 || !subject || (!rest.empty() && rest.front() != ' ')) {
    return not_a("a number of connections", text, {});
  }
  return Quota{static_cast<unsigned>(*count), *subject};
}

Parsed<std::int64_t> parse_integer(std::string_view text, Bounds bounds) {
  const bool negative = text.starts_with('-');
  const std::optional<std::uint64_t> number = parse_decimal(text.substr(negative ? 1 : 0));
  if (!number) return not_a("a whole number", text, {});
  const auto value = static_cast<std::int64_t>(*number) * (negative ? -1 : 1);
  if (value < bounds.min) return UnitError{fmt::format("{} is below {}", value, bounds.min), {}};
  if (value > bounds.max) return UnitError{fmt::format("{} is above {}", value, bounds.max), {}};
  return value;
}

std::optional<unsigned> parse_file_mode(std::string_view text) {
  if (text.size() < 3 || text.size() > 4) return std::nullopt;
  unsigned bits = 0;
  for (const char c : text) {
    if (c < '0' || c > '7') return std::nullopt;
    bits = bits * 8 + static_cast<unsigned>(c - '0');
  }
  if (bits > 0777) return std::nullopt;
  return bits;
}

std::string format_duration(Duration duration) {
  auto rest = static_cast<std::uint64_t>(duration.count());
  if (rest == 0) return "0";
  std::string out;
  for (const Unit& unit : duration_units) {
    if (rest >= unit.factor) out += fmt::format("{}{}", rest / unit.factor, unit.name);
    rest %= unit.factor;
  }
  return out;
}

std::string format_size(std::uint64_t bytes) {
  const Unit* best = &size_units[0];
  for (const Unit& unit : size_units) {
    if (bytes != 0 && bytes % unit.factor == 0 && bytes / unit.factor < bytes / best->factor) {
      best = &unit;
    }
  }
  return fmt::format("{}{}", bytes / best->factor, best->name);
}

}  // namespace portero::conf
