#include "proxy/upstream_queue.hpp"

#include <algorithm>

namespace portero::proxy {
namespace {

// How often the first in line asks an upstream that refuses.
constexpr std::int64_t retry_ms = 100;

// PHP-FPM and others refuse while they restart: the port is closed, also while it is connected to,
// the unix socket is not there or its backlog is full, a container has no address.
bool may_pass(Errc code) noexcept {
  return code == Errc::connection_refused || code == Errc::connection_reset ||
         code == Errc::host_unreachable || code == Errc::upstream_pool_full ||
         code == Errc::timeout_connect;
}

// A place in the line of this worker, which the others know of too.
class Waiting {
 public:
  explicit Waiting(UpstreamPool& pool) noexcept : pool_(pool) {
    place_.emplace(pool.line(), pool.take_ticket());
    pool_.note_waiting(true);
  }
  ~Waiting() {
    place_.reset();
    pool_.note_waiting(false);
  }
  Waiting(const Waiting&) = delete;
  Waiting& operator=(const Waiting&) = delete;

  WaitingLine::Place& place() noexcept { return *place_; }

 private:
  UpstreamPool& pool_;
  std::optional<WaitingLine::Place> place_;
};

Task<Result<Lease>> try_once(UpstreamPool& pool, const QueueLimits& limits, Connection kind,
                             Turn turn) {
  if (kind == Connection::place) {
    std::optional<Lease> place = pool.reserve(turn);
    if (place) co_return std::move(*place);
    co_return Errc::upstream_pool_full;
  }
  if (kind == Connection::any) {
    // The kernel is not asked whether it is dead: what is asked for may be asked for again.
    std::optional<Lease> idle = pool.take_idle(false, turn);
    if (idle) co_return std::move(*idle);
  } else {
    // An idle connection may keep the very process busy that could answer.
    pool.close_one_idle();
  }
  co_return co_await pool.connect(limits.connect, limits.prelude, turn);
}

}  // namespace

Task<Result<Lease>> wait_for_connection(http::Exchange& exchange, PoolRef pool, QueueLimits limits,
                                        Connection kind) {
  WaitingLine& line = pool->line();
  if (line.empty()) {
    Result<Lease> lease = co_await try_once(*pool, limits, kind, Turn::newcomer);
    if (lease || !may_pass(lease.error().code)) co_return std::move(lease);
    if (limits.wait.count() == 0) co_return lease.error();
  }
  if (line.size() >= limits.size) co_return Errc::upstream_pool_full;
  const std::int64_t until_ms = coarse_clock().monotonic_ms + limits.wait.count();
  Waiting waiting(*pool);
  WaitingLine::Place& place = waiting.place();
  Timer wake([](void* self) { static_cast<WaitingLine::Place*>(self)->turn.signal(); }, &place);
  Error last = Errc::upstream_pool_full;
  // What became free before the others knew of this one called nobody.
  const bool is_limited = pool->settings().max_concurrent != 0;
  if (is_limited && place.is_first() && !pool->is_full(Turn::waiting)) place.turn.signal();
  for (;;) {
    const std::int64_t left_ms = until_ms - coarse_clock().monotonic_ms;
    if (left_ms <= 0) co_return last;
    wake.arm(pool->loop().timers(), Milliseconds(std::min(left_ms, retry_ms)));
    exchange.client_watch = &place.turn;
    co_await place.turn;
    exchange.client_watch = nullptr;
    wake.disarm();
    if (exchange.client_gone()) co_return Errc::cancelled;
    if (!place.is_first()) continue;
    Result<Lease> lease = co_await try_once(*pool, limits, kind, Turn::waiting);
    if (lease || !may_pass(lease.error().code)) co_return std::move(lease);
    last = lease.error();
  }
}

}  // namespace portero::proxy
