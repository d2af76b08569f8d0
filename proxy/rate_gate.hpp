// `limits: {requests}`: how many requests a route takes per client, path or header value.
// Thread: the worker's; the table is shared. Owner: the route or site.
#pragma once

#include <array>
#include <string>
#include <vector>

#include "conf/config.hpp"
#include "proxy/gate.hpp"
#include "proxy/rate_table.hpp"

namespace portero::proxy {

// What counts as one client: an address of IPv4, a /64 of IPv6.
struct ClientKey {
  std::array<char, 16> bytes{};
  std::string_view view() const noexcept { return {bytes.data(), bytes.size()}; }
};
ClientKey client_key(const IpAddress& client) noexcept;

RateTable::Limit to_limit(const conf::RequestRate& rate) noexcept;

// The line that fail2ban reads (packaging/fail2ban): one for each time that a client begins to be
// refused.
void log_refusal(std::string_view limit, std::string_view site, const IpAddress& client);

class RateGate final : public Gate {
 public:
  // Limits: at least one rate.
  RateGate(const std::vector<conf::RequestRate>& rates, RateTable& table);

  // 429 with Retry-After past any of the rates. Sets exchange.rate_limit to the state of the one
  // that is nearest to its end.
  Task<Result<bool>> admit(http::Exchange& exchange) override;

 private:
  struct Rate {
    std::string scope;
    std::string name;    // in the RateLimit fields
    std::string header;  // whose value counts
    bool by_path = false;
    RateTable::Limit limit;
  };
  static std::string_view subject(const Rate& rate, http::Exchange& exchange);

  std::vector<Rate> rates_;
  RateTable& table_;
};

// Tells clients the state of their limit. Source: draft-ietf-httpapi-ratelimit-headers-10.
class RateFields final : public http::ResponseStep {
 public:
  explicit RateFields(const std::vector<conf::RequestRate>& rates);
  void apply(http::Exchange& exchange, http::Response& response) const override;

 private:
  std::string policy_;
};

}  // namespace portero::proxy
