// Balancer: which of several upstreams a request goes to first (`balance`).
// Thread: the worker's; each worker balances what it sees itself. Owner: the ReverseProxy.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "proxy/upstream_pool.hpp"

namespace portero::proxy {

enum class Balance : std::uint8_t { two_random, random, round_robin, least_conn };

// The policy of that name; nothing when there is none.
std::optional<Balance> balance_from_text(std::string_view text) noexcept;

class Balancer {
 public:
  // Limits: at least one pool.
  Balancer(Balance policy, std::vector<PoolRef> pools);

  // The index of the upstream to try first; the others follow it in turn. One that has just
  // refused to connect is chosen only when all have.
  std::size_t choose();
  std::size_t size() const noexcept { return pools_.size(); }
  UpstreamPool& at(std::size_t index) const noexcept { return *pools_[index % pools_.size()]; }

 private:
  std::size_t draw();
  std::size_t less_busy(std::size_t a, std::size_t b) const noexcept;
  std::size_t least_busy() noexcept;

  Balance policy_;
  std::vector<PoolRef> pools_;
  std::size_t next_ = 0;
  std::uint64_t random_;
};

}  // namespace portero::proxy
