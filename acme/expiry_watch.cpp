#include "acme/expiry_watch.hpp"

#include <algorithm>
#include <optional>

#include <fmt/format.h>

namespace portero::acme {
namespace {

constexpr std::time_t day = 24 * 3600;

// The smallest number of days that has been passed; 0 when the certificate is no longer valid,
// nullopt when none has.
std::optional<unsigned> passed(const WatchedCertificate& one,
                               const std::vector<unsigned>& days_left, std::time_t now) {
  const std::time_t left = one.not_after - now;
  if (left <= 0) return 0;
  std::optional<unsigned> smallest;
  for (const unsigned days : days_left) {
    const std::time_t span = static_cast<std::time_t>(days) * day;
    if (left > span || span > (one.not_after - one.not_before) / 3) continue;
    smallest = std::min(smallest.value_or(days), days);
  }
  return smallest;
}

}  // namespace

std::vector<Event> ExpiryWatch::look(const std::vector<WatchedCertificate>& all,
                                     const std::vector<unsigned>& days_left, std::time_t now) {
  std::vector<Event> events;
  std::map<std::string, Told> told;
  for (const WatchedCertificate& one : all) {
    const std::optional<unsigned> days = passed(one, days_left, now);
    if (!days) continue;
    const auto known = told_.find(one.name);
    const bool is_told = known != told_.end() && known->second.not_after == one.not_after &&
                         known->second.days <= *days;
    told[one.name] = {one.not_after, *days};
    if (is_told) continue;
    const std::string text =
        *days == 0 ? "the certificate has expired; see `portero certs`"
                   : fmt::format("the certificate expires in {} {} or less; see `portero certs`",
                                 *days, *days == 1 ? "day" : "days");
    events.push_back({"certificate_expires", one.name, one.issuer, text, one.not_after, 0});
  }
  told_ = std::move(told);
  return events;
}

}  // namespace portero::acme
