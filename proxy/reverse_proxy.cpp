#include "proxy/reverse_proxy.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "proxy/failure_text.hpp"

namespace portero::proxy {
namespace {

// Upstreams that a request is taken to before it is given up.
constexpr std::size_t upstreams_tried_max = 4;

conf::HeaderEdit joined(const conf::HeaderEdit& first, const conf::HeaderEdit& second) {
  conf::HeaderEdit edit = first;
  edit.set.insert(edit.set.end(), second.set.begin(), second.set.end());
  edit.add.insert(edit.add.end(), second.add.begin(), second.add.end());
  edit.remove.insert(edit.remove.end(), second.remove.begin(), second.remove.end());
  return edit;
}

}  // namespace

ReverseProxy::ReverseProxy(ProxySettings settings, Balance policy, std::vector<PoolRef> pools,
                           NextTurn& next_turn)
    : settings_(std::move(settings)), balancer_(policy, std::move(pools)), next_turn_(next_turn) {}

Task<Result<>> ReverseProxy::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  if (request.method == http::Method::connect && !request.is_websocket_upgrade()) {
    co_return co_await http::respond_error(exchange, 405, "CONNECT is not served here.\n");
  }
  for (int attempt = 0;; ++attempt) {
    const bool is_retry = attempt != 0;
    Result<Lease> lease = co_await lease_connection(exchange, is_retry);
    if (!lease) {
      if (exchange.head_sent()) co_return Result<>();
      co_return lease.error();
    }
    ProxyCall call(exchange, std::move(*lease), settings_, next_turn_, !is_retry);
    const Result<> result = co_await call.run();
    if (!call.may_retry()) co_return result;
  }
}

// Takes an idle connection or makes one, trying the upstreams in turn: nothing has been sent yet,
// so any request may go to the next. When none is to be had, the client has been answered.
Task<Result<Lease>> ReverseProxy::lease_connection(http::Exchange& exchange, bool fresh) {
  const std::size_t first = balancer_.choose();
  const std::size_t tries = std::min(balancer_.size(), upstreams_tried_max);
  const bool ask_kernel = !http::is_idempotent(exchange.request.method);
  Error error = Errc::internal;
  for (std::size_t i = 0; i < tries; ++i) {
    UpstreamPool& pool = balancer_.at(first + i);
    if (!fresh) {
      std::optional<Lease> idle = pool.take_idle(ask_kernel);
      if (idle) co_return std::move(*idle);
    }
    Result<Lease> made = co_await pool.connect(settings_.connect);
    if (made) co_return std::move(*made);
    error = made.error();
    exchange.upstream = pool.settings().text;
    log::warn("upstream.connect_failed", log::kv("upstream", pool.settings().text),
              log::kv("error", error), log::kv("host", exchange.request.host),
              log::kv("path", exchange.request.path));
  }
  const Result<> answered =
      co_await answer_failure(exchange, error, balancer_.at(first + tries - 1));
  if (!answered) co_return answered.error();
  co_return error;
}

Explained<std::unique_ptr<http::Handler>> make_reverse_proxy(const conf::Route& route,
                                                             PoolSet& pools) {
  const conf::Proxy& proxy = *route.proxy;
  const std::optional<Balance> policy = balance_from_text(proxy.balance);
  if (!policy) return "balance: " + proxy.balance + " is not known";
  std::vector<PoolRef> upstreams;
  for (const conf::UpstreamAddress& address : proxy.to) {
    Explained<PoolRef> pool = pools.get(upstream_settings(address, proxy));
    if (!pool) return pool.error();
    upstreams.push_back(std::move(*pool));
  }
  if (upstreams.empty()) return std::string("proxy: no upstream is given");
  ProxySettings settings;
  settings.connect = proxy.timeouts.connect;
  settings.response = proxy.timeouts.response;
  settings.idle = proxy.timeouts.idle;
  settings.headers_up = HeaderEdits(joined(route.headers_up, proxy.headers_up));
  settings.headers_down = HeaderEdits(proxy.headers_down);
  return std::unique_ptr<http::Handler>(std::make_unique<ReverseProxy>(
      std::move(settings), *policy, std::move(upstreams), pools.next_turn()));
}

}  // namespace portero::proxy
