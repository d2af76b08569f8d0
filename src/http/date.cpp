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

}  // namespace

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
