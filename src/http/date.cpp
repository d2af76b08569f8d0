#include "http/date.hpp"

#include <chrono>
#include <cstring>

#include "base/clock.hpp"

namespace portero::http {
namespace {

constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";

class Pen {
 public:
  explicit Pen(char* at) noexcept : at_(at) {}
  void text(std::string_view text) noexcept {
    std::memcpy(at_, text.data(), text.size());
    at_ += text.size();
  }
  void two_digits(unsigned number) noexcept {
    *at_++ = static_cast<char>('0' + number / 10 % 10);
    *at_++ = static_cast<char>('0' + number % 10);
  }

 private:
  char* at_;
};

// Reads a date from left to right; what does not fit makes it fail for good.
class Reader {
 public:
  explicit Reader(std::string_view text) noexcept : rest_(text) {}

  bool failed() const noexcept { return failed_; }
  bool done() const noexcept { return !failed_ && rest_.empty(); }
  void skip(char wanted) noexcept {
    failed_ |= !rest_.starts_with(wanted);
    if (!failed_) rest_.remove_prefix(1);
  }
  void skip(std::string_view wanted) noexcept {
    for (const char c : wanted) skip(c);
  }
  unsigned number(std::size_t digits) noexcept {
    unsigned value = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      const bool is_digit = !rest_.empty() && rest_.front() >= '0' && rest_.front() <= '9';
      failed_ |= !is_digit;
      if (failed_) return 0;
      value = value * 10 + static_cast<unsigned>(rest_.front() - '0');
      rest_.remove_prefix(1);
    }
    return value;
  }
  // " 6" or "16".
  unsigned padded_number() noexcept {
    if (!rest_.starts_with(' ')) return number(2);
    skip(' ');
    return number(1);
  }
  unsigned month() noexcept {
    const std::string_view name = rest_.substr(0, 3);
    const std::size_t at = name.size() == 3 ? month_names.find(name) : std::string_view::npos;
    failed_ |= at == std::string_view::npos || at % 3 != 0;
    if (failed_) return 0;
    rest_.remove_prefix(3);
    return static_cast<unsigned>(at / 3) + 1;
  }

 private:
  std::string_view rest_;
  bool failed_ = false;
};

struct Moment {
  unsigned year = 0;
  unsigned month = 0;
  unsigned day = 0;
  unsigned hour = 0;
  unsigned minute = 0;
  unsigned second = 0;
};

void read_time(Reader& reader, Moment& moment) noexcept {
  moment.hour = reader.number(2);
  reader.skip(':');
  moment.minute = reader.number(2);
  reader.skip(':');
  moment.second = reader.number(2);
}

// "06 Nov 1994 08:49:37 GMT", "06-Nov-94 08:49:37 GMT".
bool read_day_first(std::string_view text, Moment& moment) noexcept {
  Reader reader(text);
  const char between = text.size() > 2 && text[2] == '-' ? '-' : ' ';
  moment.day = reader.number(2);
  reader.skip(between);
  moment.month = reader.month();
  reader.skip(between);
  moment.year = reader.number(between == '-' ? 2 : 4);
  // Source: RFC 9110 §5.6.7 wants the past for what would be 50 years ahead.
  if (between == '-') moment.year += moment.year < 70 ? 2000 : 1900;
  reader.skip(' ');
  read_time(reader, moment);
  reader.skip(" GMT");
  return reader.done();
}

// "Nov  6 08:49:37 1994".
bool read_month_first(std::string_view text, Moment& moment) noexcept {
  Reader reader(text);
  moment.month = reader.month();
  reader.skip(' ');
  moment.day = reader.padded_number();
  reader.skip(' ');
  read_time(reader, moment);
  reader.skip(' ');
  moment.year = reader.number(4);
  return reader.done();
}

}  // namespace

std::optional<std::int64_t> parse_http_date(std::string_view text) noexcept {
  using namespace std::chrono;
  Moment moment;
  const std::size_t comma = text.find(", ");
  const std::size_t space = text.find(' ');
  bool is_date = false;
  if (comma != std::string_view::npos) {
    is_date = read_day_first(text.substr(comma + 2), moment);
  } else if (space != std::string_view::npos) {
    is_date = read_month_first(text.substr(space + 1), moment);
  }
  const year_month_day date{year(static_cast<int>(moment.year)), month(moment.month),
                            day(moment.day)};
  const bool is_time = moment.hour < 24 && moment.minute < 60 && moment.second <= 60;
  if (!is_date || !date.ok() || !is_time) return std::nullopt;
  const sys_seconds at =
      sys_days(date) + hours(moment.hour) + minutes(moment.minute) + seconds(moment.second);
  return at.time_since_epoch().count();
}

HttpDate format_http_date(std::int64_t unix_seconds) noexcept {
  using namespace std::chrono;
  const sys_seconds moment{seconds{unix_seconds}};
  const sys_days day = floor<days>(moment);
  const year_month_day date{day};
  const hh_mm_ss time{moment - day};
  const auto year = static_cast<unsigned>(static_cast<int>(date.year()));

  HttpDate out;
  Pen pen(out.data());
  pen.text(day_names.substr(weekday{day}.c_encoding() * 3, 3));
  pen.text(", ");
  pen.two_digits(static_cast<unsigned>(date.day()));
  pen.text(" ");
  pen.text(month_names.substr((static_cast<unsigned>(date.month()) - 1) * 3, 3));
  pen.text(" ");
  pen.two_digits(year / 100);
  pen.two_digits(year % 100);
  pen.text(" ");
  pen.two_digits(static_cast<unsigned>(time.hours().count()));
  pen.text(":");
  pen.two_digits(static_cast<unsigned>(time.minutes().count()));
  pen.text(":");
  pen.two_digits(static_cast<unsigned>(time.seconds().count()));
  pen.text(" GMT");
  return out;
}

std::string_view http_date_now() noexcept {
  struct Cached {
    std::int64_t second = -1;
    HttpDate text{};
  };
  static thread_local Cached cached;
  const std::int64_t second = coarse_clock().unix_ms / 1000;
  if (second != cached.second) cached = {second, format_http_date(second)};
  return {cached.text.data(), cached.text.size()};
}

}  // namespace portero::http
