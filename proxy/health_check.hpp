// HealthCheck: asks an upstream again and again whether it works (`health: {path}`). One worker
// does it for all; the answer is the UpstreamState's.
// Thread: the worker's. Owner: the ReverseProxy; a check that is under way ends by itself.
#pragma once

#include <memory>
#include <string>

#include <boost/smart_ptr/local_shared_ptr.hpp>

#include "base/run_queue.hpp"
#include "conf/config.hpp"
#include "proxy/proxy_call.hpp"
#include "proxy/upstream_state.hpp"

namespace portero::proxy {

class HealthCheck {
 public:
  // An upstream is down after one check that fails and up after one that does not: an answer with
  // a status below 400 in time.
  HealthCheck(const conf::Health& settings, PoolRef pool, UpstreamStatePointer state,
              NextTurn& next_turn);
  HealthCheck(const HealthCheck&) = delete;
  HealthCheck& operator=(const HealthCheck&) = delete;
  ~HealthCheck();

  // Of this thread, those included whose owner has gone: they end within their timeout.
  static unsigned running() noexcept;

 private:
  struct Shared;
  using SharedPointer = boost::local_shared_ptr<Shared>;
  static Task<> run(SharedPointer shared);
  static Task<bool> check(Shared& shared);
  static Task<Result<>> ask(Shared& shared, http::Exchange& probe);
  static Task<Result<>> ask_http2(Shared& shared, http::Exchange& probe);

  SharedPointer shared_;
};

}  // namespace portero::proxy
