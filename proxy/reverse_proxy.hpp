// `proxy`: the handler that lets an upstream answer.
// Thread: the worker's. Owner: the route; tunnels and leased connections outlive it.
#pragma once

#include <memory>
#include <vector>

#include "conf/config.hpp"
#include "http/handler.hpp"
#include "proxy/balancer.hpp"
#include "proxy/h2_upstream.hpp"
#include "proxy/health_check.hpp"
#include "proxy/pool_set.hpp"
#include "proxy/proxy_call.hpp"
#include "proxy/upstream_queue.hpp"

namespace portero::proxy {

// How often a request is tried again, and what all of them may cost.
class RetryBudget {
 public:
  RetryBudget() = default;
  // `percent`: of the requests, beyond a first few.
  explicit RetryBudget(unsigned percent) noexcept : share_(percent / 100.0) {}

  void note_request() noexcept { tokens_ = std::min(tokens_ + share_, tokens_max); }
  bool has_token() const noexcept { return tokens_ >= 1; }
  // Whether there was one.
  bool spend() noexcept {
    if (!has_token()) return false;
    tokens_ -= 1;
    return true;
  }

 private:
  static constexpr double tokens_max = 100;
  double share_ = 0.2;
  double tokens_ = 10;
};

struct ReverseProxySettings {
  ProxySettings call;
  conf::Retries retries;
  QueueLimits queue;
  bool holds = false;  // requests wait while no upstream accepts connections
  conf::ProxyProtocol proxy_protocol = conf::ProxyProtocol::none;
  bool buffering = false;
  std::string spool_folder = {};
};

class ReverseProxy final : public http::Handler {
 public:
  // `next_turn` is the worker's.
  ReverseProxy(ReverseProxySettings settings, Balancer balancer, NextTurn& next_turn);

  // From now on requests go over HTTP/2, but for changes of protocol, which `upgrades` takes.
  void use_http2(std::vector<std::unique_ptr<H2Upstream>> upstreams,
                 std::unique_ptr<http::Handler> upgrades) {
    http2_ = std::move(upstreams);
    upgrades_ = std::move(upgrades);
  }
  void add_check(std::unique_ptr<HealthCheck> check) { checks_.push_back(std::move(check)); }
  Task<Result<>> handle(http::Exchange& exchange) override;

 private:
  // Where one request stands.
  struct Attempt {
    std::size_t index = 0;  // of the upstream
    unsigned tries = 0;     // so far, beyond the first
    bool fresh = false;     // not with a kept connection
    std::int64_t until_ms = 0;
    Bytes prelude;
  };
  Task<Result<>> handle_buffered(http::Exchange& exchange);
  Task<Result<>> pass(http::Exchange& exchange);
  Task<Result<>> pass_http2(http::Exchange& exchange);
  Task<Result<http::H2ClientPointer>> http2_connection(http::Exchange& exchange, Attempt& attempt);
  bool may_try_again(const Attempt& attempt) const noexcept;
  Task<Result<Lease>> lease_connection(http::Exchange& exchange, Attempt& attempt);
  Task<Result<Lease>> try_upstreams(http::Exchange& exchange, Attempt& attempt);
  Task<Result<>> tell_failure(http::Exchange& exchange, const Attempt& attempt, Error error);
  Task<Error> give_up(http::Exchange& exchange, const Attempt& attempt, Error error);
  Task<Result<Lease>> wait_for_upstream(http::Exchange& exchange, Attempt& attempt);

  ReverseProxySettings settings_;
  Balancer balancer_;
  RetryBudget budget_;
  NextTurn& next_turn_;
  std::vector<std::unique_ptr<HealthCheck>> checks_;
  std::vector<std::unique_ptr<H2Upstream>> http2_;  // one for each upstream, or none
  std::unique_ptr<http::Handler> upgrades_;
};

// Makes the handler of a route with `proxy`; its headers_up come before those of the proxy.
// Errors: a sentence for people (a CA file that cannot be used).
Explained<std::unique_ptr<http::Handler>> make_reverse_proxy(const conf::Route& route,
                                                             PoolSet& pools);

}  // namespace portero::proxy
