// Balancer: which of several upstreams a request goes to first (`balance`), and what is learned
// from how it went. Thread: the worker's; health is shared by all. Owner: the ReverseProxy.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "http/exchange.hpp"
#include "proxy/upstream_pool.hpp"
#include "proxy/upstream_state.hpp"

namespace portero::proxy {

enum class Balance : std::uint8_t {
  two_random,
  random,
  round_robin,
  least_conn,
  ip_hash,
  uri_hash,
  cookie,
};

// The policy of that name; nothing when there is none.
std::optional<Balance> balance_from_text(std::string_view text) noexcept;

struct BalanceSettings {
  Balance policy = Balance::two_random;
  unsigned fails = 0;       // in a row, before an upstream gets none; 0 = never
  std::int64_t out_ms = 0;  // for so long
  std::int64_t slow_start_ms = 0;
  std::string cookie_key = {};
};

class Balancer {
 public:
  static constexpr std::string_view cookie_name = "portero_upstream";

  struct Member {
    PoolRef pool;
    UpstreamStatePointer health;
    std::uint64_t seed = 0;   // of its place among hashes
    std::string cookie = {};  // the value that leads to it
  };

  // Limits: at least one pool.
  Balancer(BalanceSettings settings, const std::vector<PoolRef>& pools,
           std::vector<UpstreamStatePointer> health = {});

  // The index of the upstream to try first; the others follow it in turn. One that is out, or has
  // just refused to connect, is chosen only when all are.
  std::size_t choose(const http::Request& request);
  std::size_t size() const noexcept { return members_.size(); }
  UpstreamPool& at(std::size_t index) const noexcept {
    return *members_[index % members_.size()].pool;
  }
  const Member& member(std::size_t index) const noexcept {
    return members_[index % members_.size()];
  }
  bool is_fit(std::size_t index) const noexcept;
  // How a request to that upstream went: whether it answered.
  void learn(std::size_t index, bool answered);
  // The Set-Cookie value that leads the client back to that upstream; "" when it has it already or
  // the policy is another. In the exchange's arena.
  std::string_view cookie_for(std::size_t index, http::Exchange& exchange) const;

 private:
  std::size_t choose_freely(const http::Request& request);
  std::size_t choose_by_hash(std::string_view subject) const noexcept;
  std::optional<std::size_t> choose_by_cookie(const http::Request& request) const;
  bool has_warmed_up(std::size_t index);
  std::size_t draw();
  std::uint64_t random();
  std::size_t less_busy(std::size_t a, std::size_t b) const noexcept;
  std::size_t least_busy() noexcept;

  BalanceSettings settings_;
  std::vector<Member> members_;
  std::size_t next_ = 0;
  std::uint64_t random_;
};

}  // namespace portero::proxy
