// UpstreamQueue: requests that wait for a connection to an upstream that refuses or is full.
// Nothing of them has been sent, so any method may wait; they go on in the order in which they
// came, as soon as a connection is free or the upstream accepts again. Thread: the worker's. Owner:
// the UpstreamPool.
#pragma once

#include "http/exchange.hpp"
#include "proxy/upstream_pool.hpp"

namespace portero::proxy {

struct QueueLimits {
  unsigned size = 1'000;
  Milliseconds wait{10'000};
  Milliseconds connect{3'000};  // of one attempt
  Bytes prelude = {};           // sent first on a new connection
};

enum class Connection : std::uint8_t {
  any,    // a kept one, if there is one
  place,  // none, but a place for a request over one that is shared
  fresh,  // a new one: for what may not meet a connection that is just being closed
};

// A connection that is there already, when nobody waits for one: the usual case, without a
// coroutine. The kernel is not asked whether it is dead: what is asked for may be asked for again.
inline std::optional<Lease> take_kept(UpstreamPool& pool, Connection kind) {
  if (kind != Connection::any || !pool.line().empty()) return std::nullopt;
  return pool.take_idle(false);
}

// A connection to the pool's upstream, at once or after a wait.
// Errors: upstream_pool_full (the queue is full, or max_concurrent held on for limits.wait),
//   connection_refused (for that long), cancelled (the client has gone), others of connect().
Task<Result<Lease>> wait_for_connection(http::Exchange& exchange, PoolRef pool, QueueLimits limits,
                                        Connection kind);

}  // namespace portero::proxy
