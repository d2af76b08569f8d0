// PoolSet: all upstream pools of one worker, by identity. Handlers of a new configuration get the
// pools that are there already, so a reload closes no idle connection that is still wanted.
// Thread: the worker's. Owner: the worker.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "proxy/next_turn.hpp"
#include "proxy/upstream_pool.hpp"

namespace portero::proxy {

class PoolSet {
 public:
  // "host:port" to addresses; names that do not resolve are absent.
  using Names = std::map<std::string, std::vector<net::SocketAddress>>;

  explicit PoolSet(net::Loop& loop, BalancingParts balancing = {})
      : loop_(loop), next_turn_(loop), balancing_(std::move(balancing)) {}

  // The pool for these settings, with the limits they give. Errors: as UpstreamPool::create.
  Explained<PoolRef> get(const UpstreamSettings& settings);
  // Tells every pool that goes to a name, now and later, what it resolves to. A name that is absent
  // keeps what it had: an old address is better than none.
  void set_names(const Names& names);
  // After a reload, when the old handlers are gone: forgets pools that nobody uses.
  void drop_unused();
  void clear() noexcept { pools_.clear(); }
  // Other workers may have called those that wait here.
  void on_mail() noexcept {
    for (const auto& [key, pool] : pools_) pool->on_mail();
  }

  const std::map<std::string, PoolRef>& pools() const noexcept { return pools_; }
  // The state of that name that all workers share.
  UpstreamStatePointer state(const std::string& name) const {
    return balancing_.states == nullptr ? std::make_shared<UpstreamState>()
                                        : balancing_.states->get(name);
  }
  const BalancingParts& balancing() const noexcept { return balancing_; }
  // What the configuration says of balancing.
  void configure(std::string cookie_key, std::string spool_folder) {
    balancing_.cookie_key = std::move(cookie_key);
    balancing_.spool_folder = std::move(spool_folder);
  }
  net::Loop& loop() const noexcept { return loop_; }
  NextTurn& next_turn() noexcept { return next_turn_; }

 private:
  net::Loop& loop_;
  NextTurn next_turn_;
  BalancingParts balancing_;
  std::map<std::string, PoolRef> pools_;
  Names names_;
};

}  // namespace portero::proxy
