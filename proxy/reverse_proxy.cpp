#include "proxy/reverse_proxy.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "proxy/buffered_exchange.hpp"
#include "proxy/failure_text.hpp"
#include "proxy/proxy_header.hpp"

namespace portero::proxy {
namespace {

conf::HeaderEdit joined(const conf::HeaderEdit& first, const conf::HeaderEdit& second) {
  conf::HeaderEdit edit = first;
  edit.set.insert(edit.set.end(), second.set.begin(), second.set.end());
  edit.add.insert(edit.add.end(), second.add.begin(), second.add.end());
  edit.remove.insert(edit.remove.end(), second.remove.begin(), second.remove.end());
  edit.replace.insert(edit.replace.end(), second.replace.begin(), second.replace.end());
  return edit;
}

void log_failure(const UpstreamPool& pool, const Error& error, const http::Exchange& exchange) {
  log::warn("upstream.connect_failed", log::kv("upstream", pool.settings().text),
            log::kv("error", error), log::kv("host", exchange.request.host),
            log::kv("path", exchange.request.path));
}

}  // namespace

ReverseProxy::ReverseProxy(ReverseProxySettings settings, Balancer balancer, NextTurn& next_turn)
    : settings_(std::move(settings)),
      balancer_(std::move(balancer)),
      budget_(settings_.retries.budget_percent),
      next_turn_(next_turn) {}

Task<Result<>> ReverseProxy::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  if (request.method == http::Method::connect && !request.is_websocket_upgrade()) {
    co_return co_await http::respond_error(exchange, 405, "CONNECT is not served here.");
  }
  budget_.note_request();
  const bool is_upgrade =
      (settings_.buffering || !http2_.empty()) && !find_upgrade(exchange).protocol.empty();
  if (is_upgrade && !http2_.empty()) co_return co_await upgrades_->handle(exchange);
  if (settings_.buffering && !is_upgrade) co_return co_await handle_buffered(exchange);
  co_return co_await pass(exchange);
}

Task<Result<>> ReverseProxy::handle_buffered(http::Exchange& exchange) {
  BufferedExchange buffered(exchange, settings_.spool_folder);
  const Result<> passed = co_await pass(buffered);
  const Result<> sent = co_await buffered.finish();
  exchange.upstream = buffered.upstream;
  co_return passed ? sent : passed;
}

Task<Result<>> ReverseProxy::pass_http2(http::Exchange& exchange) {
  Attempt attempt;
  attempt.index = balancer_.choose(exchange.request);
  attempt.until_ms = coarse_clock().monotonic_ms + settings_.retries.within.count();
  for (bool is_retry = false;; is_retry = true) {
    Result<Lease> place = co_await wait_for_upstream(exchange, attempt);
    if (!place) co_return co_await tell_failure(exchange, attempt, place.error());
    Result<http::H2ClientPointer> connection = co_await http2_connection(exchange, attempt);
    if (!connection) co_return co_await tell_failure(exchange, attempt, connection.error());
    const ProxyCall::Surroundings around{next_turn_, false, !is_retry && may_try_again(attempt),
                                         balancer_.cookie_for(attempt.index, exchange)};
    H2Call call(exchange, std::move(*place), std::move(*connection), settings_.call, around);
    const Result<> result = co_await call.run();
    balancer_.learn(attempt.index, !call.upstream_failed());
    if (!call.may_retry()) co_return result;
    budget_.spend();
    ++attempt.tries;
    ++attempt.index;
  }
}

Task<Result<>> ReverseProxy::tell_failure(http::Exchange& exchange, const Attempt& attempt,
                                          Error error) {
  const Error told = co_await give_up(exchange, attempt, error);
  if (exchange.head_sent()) co_return Result<>();
  co_return told;
}

// Of the upstream that was chosen, or of the next that can be reached.
Task<Result<http::H2ClientPointer>> ReverseProxy::http2_connection(http::Exchange& exchange,
                                                                   Attempt& attempt) {
  for (;;) {
    H2Upstream& upstream = *http2_[attempt.index % http2_.size()];
    Result<http::H2ClientPointer> made = co_await upstream.connection(settings_.call.connect);
    if (made) co_return std::move(*made);
    balancer_.learn(attempt.index, false);
    exchange.upstream = upstream.pool()->settings().text;
    log_failure(*upstream.pool(), made.error(), exchange);
    const bool has_other = http2_.size() > 1 && may_try_again(attempt);
    if (!has_other || !budget_.spend()) co_return made.error();
    ++attempt.tries;
    ++attempt.index;
  }
}

Task<Result<>> ReverseProxy::pass(http::Exchange& exchange) {
  if (!http2_.empty()) co_return co_await pass_http2(exchange);
  const http::Request& request = exchange.request;
  Attempt attempt;
  attempt.index = balancer_.choose(request);
  attempt.until_ms = coarse_clock().monotonic_ms + settings_.retries.within.count();
  attempt.prelude = proxy_header(settings_.proxy_protocol, exchange);
  for (;;) {
    Result<Lease> lease = co_await lease_connection(exchange, attempt);
    if (!lease) {
      if (exchange.head_sent()) co_return Result<>();
      co_return lease.error();
    }
    // What has been sent is sent once more at most; a kept connection that had died costs nothing.
    const ProxyCall::Surroundings around{
        next_turn_, !attempt.fresh,
        !attempt.fresh && balancer_.size() > 1 && may_try_again(attempt),
        balancer_.cookie_for(attempt.index, exchange)};
    ProxyCall call(exchange, std::move(*lease), settings_.call, around);
    const Result<> result = co_await call.run();
    balancer_.learn(attempt.index, !call.upstream_failed());
    if (!call.may_retry()) co_return result;
    if (call.was_first_use()) {
      budget_.spend();
      ++attempt.tries;
      ++attempt.index;
    }
    attempt.fresh = true;
  }
}

bool ReverseProxy::may_try_again(const Attempt& attempt) const noexcept {
  return attempt.tries < settings_.retries.tries && budget_.has_token() &&
         coarse_clock().monotonic_ms <= attempt.until_ms;
}

// When no connection is to be had, the client has been answered.
Task<Result<Lease>> ReverseProxy::lease_connection(http::Exchange& exchange, Attempt& attempt) {
  Result<Lease> lease = co_await try_upstreams(exchange, attempt);
  if (lease) co_return std::move(lease);
  if (lease.error() != Errc::upstream_pool_full && !settings_.holds) {
    co_return co_await give_up(exchange, attempt, lease.error());
  }
  Result<Lease> later = co_await wait_for_upstream(exchange, attempt);
  if (later) co_return std::move(later);
  co_return co_await give_up(exchange, attempt, later.error());
}

Task<Error> ReverseProxy::give_up(http::Exchange& exchange, const Attempt& attempt, Error error) {
  if (error == Errc::cancelled) co_return error;
  const UpstreamPool& pool = balancer_.at(attempt.index);
  exchange.upstream = pool.settings().text;
  const Result<> answered = co_await answer_failure(exchange, error, pool);
  co_return answered ? error : answered.error();
}

// Takes an idle connection or makes one, trying the upstreams in turn: nothing has been sent yet,
// so any request may go to the next. Leaves attempt.index at the last that was tried.
Task<Result<Lease>> ReverseProxy::try_upstreams(http::Exchange& exchange, Attempt& attempt) {
  const bool ask_kernel = !http::is_idempotent(exchange.request.method);
  const std::size_t first = attempt.index;
  Error error = Errc::upstream_pool_full;
  bool has_tried = false;
  for (std::size_t i = 0; i < balancer_.size(); ++i) {
    UpstreamPool& pool = balancer_.at(first + i);
    if (pool.is_full()) continue;
    // Those that are known to be away get no second chance while others may be left.
    if (has_tried && !balancer_.is_fit(first + i)) continue;
    if (has_tried && (!may_try_again(attempt) || !budget_.spend())) break;
    if (has_tried) ++attempt.tries;
    attempt.index = first + i;
    if (!attempt.fresh) {
      std::optional<Lease> idle = pool.take_idle(ask_kernel);
      if (idle) co_return std::move(*idle);
    }
    Result<Lease> made = co_await pool.connect(settings_.call.connect, attempt.prelude);
    if (made) co_return std::move(*made);
    has_tried = true;
    error = made.error();
    balancer_.learn(first + i, false);
    exchange.upstream = pool.settings().text;
    log_failure(pool, error, exchange);
  }
  co_return error;
}

// Nothing was sent, so any method may wait.
Task<Result<Lease>> ReverseProxy::wait_for_upstream(http::Exchange& exchange, Attempt& attempt) {
  QueueLimits limits = settings_.queue;
  limits.connect = settings_.call.connect;
  limits.prelude = attempt.prelude;
  const Connection kind = !http2_.empty() ? Connection::place
                          : attempt.fresh ? Connection::fresh
                                          : Connection::any;
  co_return co_await wait_for_connection(exchange, PoolRef(&balancer_.at(attempt.index)), limits,
                                         kind);
}

Explained<std::unique_ptr<http::Handler>> make_reverse_proxy(const conf::Route& route,
                                                             PoolSet& pools) {
  const conf::Proxy& proxy = *route.proxy;
  const std::optional<Balance> policy = balance_from_text(proxy.balance);
  if (!policy) return "balance: " + proxy.balance + " is not known";
  const bool has_health = !proxy.health.path.empty() || proxy.health.passive.has_value();
  std::vector<PoolRef> upstreams;
  std::vector<UpstreamStatePointer> health;
  for (const conf::UpstreamAddress& address : proxy.to) {
    const UpstreamSettings upstream = upstream_settings(address, proxy);
    Explained<PoolRef> pool = pools.get(upstream);
    if (!pool) return pool.error();
    health.push_back(pools.state("health " + proxy.health.path + " " + upstream.key()));
    if (has_health) (*pool)->set_health(health.back());
    upstreams.push_back(std::move(*pool));
  }
  if (upstreams.empty()) return std::string("proxy: no upstream is given");
  ReverseProxySettings settings;
  settings.call.connect = proxy.timeouts.connect;
  settings.call.response = proxy.timeouts.response;
  settings.call.idle = proxy.timeouts.idle;
  settings.call.headers_up = HeaderEdits(joined(route.headers_up, proxy.headers_up));
  settings.call.headers_down = HeaderEdits(proxy.headers_down);
  settings.retries = proxy.retries;
  settings.queue.size = proxy.queue.size;
  settings.queue.wait = proxy.queue.wait;
  settings.holds = proxy.queue_given;
  settings.proxy_protocol = proxy.proxy_protocol;
  settings.buffering = proxy.buffering;
  settings.spool_folder = pools.balancing().spool_folder;
  BalanceSettings balance;
  balance.policy = *policy;
  balance.slow_start_ms = proxy.slow_start.count();
  balance.cookie_key = pools.balancing().cookie_key;
  if (proxy.health.passive) {
    balance.fails = proxy.health.passive->fails;
    balance.out_ms = proxy.health.passive->out_for.count();
  }
  std::vector<std::unique_ptr<H2Upstream>> http2;
  if (proxy.http2) {
    for (const PoolRef& pool : upstreams) http2.push_back(std::make_unique<H2Upstream>(pool));
  }
  auto handler = std::make_unique<ReverseProxy>(
      std::move(settings), Balancer(std::move(balance), upstreams, health), pools.next_turn());
  if (proxy.http2) {
    conf::Route upgrades = route;
    upgrades.proxy->http2 = false;
    upgrades.proxy->health.path.clear();  // checked over HTTP/2
    Explained<std::unique_ptr<http::Handler>> made = make_reverse_proxy(upgrades, pools);
    if (!made) return made.error();
    handler->use_http2(std::move(http2), std::move(*made));
  }
  const bool checks = !proxy.health.path.empty() && pools.balancing().runs_checks;
  for (std::size_t i = 0; checks && i < upstreams.size(); ++i) {
    handler->add_check(
        std::make_unique<HealthCheck>(proxy.health, upstreams[i], health[i], pools.next_turn()));
  }
  return std::unique_ptr<http::Handler>(std::move(handler));
}

}  // namespace portero::proxy
