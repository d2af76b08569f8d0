// `proxy`: the handler that lets an upstream answer.
// Thread: the worker's. Owner: the route; tunnels and leased connections outlive it.
#pragma once

#include <memory>
#include <vector>

#include "conf/config.hpp"
#include "http/handler.hpp"
#include "proxy/balancer.hpp"
#include "proxy/pool_set.hpp"
#include "proxy/proxy_call.hpp"

namespace portero::proxy {

class ReverseProxy final : public http::Handler {
 public:
  // `next_turn` is the worker's. Limits: at least one pool.
  ReverseProxy(ProxySettings settings, Balance policy, std::vector<PoolRef> pools,
               NextTurn& next_turn);

  Task<Result<>> handle(http::Exchange& exchange) override;

 private:
  Task<Result<Lease>> lease_connection(http::Exchange& exchange, bool fresh);

  ProxySettings settings_;
  Balancer balancer_;
  NextTurn& next_turn_;
};

// Makes the handler of a route with `proxy`; its headers_up come before those of the proxy.
// Errors: a sentence for people (a CA file that cannot be used).
Explained<std::unique_ptr<http::Handler>> make_reverse_proxy(const conf::Route& route,
                                                             PoolSet& pools);

}  // namespace portero::proxy
