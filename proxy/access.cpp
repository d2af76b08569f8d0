#include "proxy/access.hpp"

#include <unistd.h>

#include <algorithm>
#include <optional>

#include "base/clock.hpp"

namespace portero::proxy {
namespace {

std::vector<IpNetwork> parse(const std::vector<std::string>& texts) {
  std::vector<IpNetwork> networks;
  for (const std::string& text : texts) {
    if (const std::optional<IpNetwork> network = IpNetwork::parse(text)) {
      networks.push_back(*network);
    }
  }
  return networks;
}

}  // namespace

AccessList::AccessList(const std::vector<std::string>& allow, const std::vector<std::string>& deny)
    : allow_(parse(allow)), deny_(parse(deny)), is_open_(allow.empty()) {}

bool AccessList::contains(const std::vector<IpNetwork>& networks,
                          const IpAddress& client) noexcept {
  return std::any_of(networks.begin(), networks.end(),
                     [&client](const IpNetwork& network) { return network.contains(client); });
}

MaintenanceFlag::MaintenanceFlag(std::string file, const std::vector<std::string>& allow)
    : file_(std::move(file)), exempt_(allow, {}), has_exempt_(!allow.empty()) {}

bool MaintenanceFlag::is_up_for(const IpAddress& client) const noexcept {
  const std::int64_t now = coarse_clock().monotonic_ms;
  if (now >= checked_at_ms_ + check_period_ms) {
    checked_at_ms_ = now;
    is_up_ = ::access(file_.c_str(), F_OK) == 0;
  }
  return is_up_ && !(has_exempt_ && exempt_.admits(client));
}

}  // namespace portero::proxy
