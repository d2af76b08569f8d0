// Who is served: `allow`, `deny` and `maintenance` of a route.
// Thread: the worker's. Owner: the route.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/ip_address.hpp"

namespace portero::proxy {

class AccessList {
 public:
  AccessList() = default;
  // Networks as text. Without any `allow` all are allowed; `deny` counts more.
  AccessList(const std::vector<std::string>& allow, const std::vector<std::string>& deny);

  bool admits(const IpAddress& client) const noexcept {
    return (is_open_ || contains(allow_, client)) && !contains(deny_, client);
  }

 private:
  static bool contains(const std::vector<IpNetwork>& networks, const IpAddress& client) noexcept;

  std::vector<IpNetwork> allow_;
  std::vector<IpNetwork> deny_;
  bool is_open_ = true;
};

// A file whose existence says that nothing else is served.
class MaintenanceFlag {
 public:
  static constexpr std::int64_t check_period_ms = 500;

  // `allow`: networks that do not care.
  MaintenanceFlag(std::string file, const std::vector<std::string>& allow);

  // Cost: one access(2) per `check_period_ms`.
  bool is_up_for(const IpAddress& client) const noexcept;

 private:
  std::string file_;
  AccessList exempt_;
  bool has_exempt_ = false;
  mutable std::int64_t checked_at_ms_ = -check_period_ms;
  mutable bool is_up_ = false;
};

}  // namespace portero::proxy
