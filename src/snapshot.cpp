#include "snapshot.hpp"

#include <stdexcept>

#include "base/log.hpp"
#include "http/access_log.hpp"
#include "hub/http_api.hpp"
#include "hub/hub_traffic.hpp"
#include "hub/ws_upgrade.hpp"
#include "proxy/basic_auth.hpp"
#include "proxy/error_pages.hpp"
#include "proxy/files_handler.hpp"
#include "proxy/forward_auth.hpp"
#include "proxy/php_handler.hpp"
#include "proxy/rate_gate.hpp"
#include "proxy/redirect.hpp"
#include "proxy/reverse_proxy.hpp"
#include "proxy/static_response.hpp"

namespace portero {
namespace {

// Both doors of the hub behind one handler: sockets on /app/…, the HTTP API on everything else.
class HubEntrance final : public http::Handler {
 public:
  HubEntrance(hub::HubShard& shard, const conf::HubRef& apps)
      : sockets_(shard, apps), api_(shard, apps) {}

  Task<Result<>> handle(http::Exchange& exchange) override {
    const bool socket = !hub::socket_path_key(exchange.request.path).empty();
    http::Handler& door = socket ? static_cast<http::Handler&>(sockets_) : api_;
    co_return co_await door.handle(exchange);
  }

 private:
  hub::WsUpgrade sockets_;
  hub::HttpApi api_;
};

class HubTraffic final : public proxy::HubFilter {
 public:
  HubTraffic(const hub::HubShard& shard, conf::HubRef apps)
      : shard_(shard), apps_(std::move(apps)) {}

  bool wants(const http::Request& request) const override {
    return hub::is_hub_traffic(request, shard_, apps_);
  }

 private:
  const hub::HubShard& shard_;
  conf::HubRef apps_;
};

class WorkerParts final : public SiteParts, private proxy::HandlerFactory {
 public:
  WorkerParts(WorkerContext& worker, const std::string& storage) noexcept
      : worker_(worker), storage_(storage) {}

  proxy::HandlerFactory& factory() override { return *this; }

  void add_hub(proxy::Site& site, const conf::HubRef& apps) override {
    site.hub_filter = std::make_unique<HubTraffic>(worker_.shard, apps);
    site.hub = std::make_unique<HubEntrance>(worker_.shard, apps);
  }

 private:
  Explained<std::unique_ptr<http::Handler>> make_handler(const conf::Route& route) override {
    if (route.hub) return std::make_unique<HubEntrance>(worker_.shard, *route.hub);
    if (route.respond) return std::make_unique<proxy::StaticResponse>(*route.respond);
    if (route.redirect) return std::make_unique<proxy::Redirect>(*route.redirect);
    if (route.php) {
      return proxy::make_php_handler(route, {worker_.pools, worker_.files, storage_});
    }
    if (route.files) {
      return std::make_unique<proxy::FilesHandler>(
          route.root, *route.files, proxy::FileService{worker_.files, worker_.pools.next_turn()});
    }
    return proxy::make_reverse_proxy(route, worker_.pools);
  }

  Explained<proxy::Guards> make_guards(const conf::Route& route) override {
    proxy::Guards guards;
    if (!route.requests.empty()) {
      guards.gates.push_back(std::make_unique<proxy::RateGate>(route.requests, worker_.rates));
    }
    if (route.basic_auth) {
      guards.gates.push_back(
          std::make_unique<proxy::BasicAuthGate>(*route.basic_auth, worker_.passwords));
    }
    if (route.forward_auth) {
      Explained<std::unique_ptr<proxy::Gate>> gate =
          proxy::make_forward_auth(*route.forward_auth, worker_.pools);
      if (!gate) return gate.error();
      guards.gates.push_back(std::move(*gate));
    }
    if (route.errors.empty()) return guards;
    auto pages = std::make_unique<proxy::RouteErrorPages>();
    for (const conf::ErrorPage& page : route.errors) {
      Explained<std::unique_ptr<http::Handler>> server = make_page_server(page);
      if (!server) return server.error();
      pages->add(page, std::move(*server));
    }
    guards.error_pages = std::move(pages);
    return guards;
  }

  // nullptr for a page without `proxy`.
  Explained<std::unique_ptr<http::Handler>> make_page_server(const conf::ErrorPage& page) {
    if (!page.proxy) return std::unique_ptr<http::Handler>();
    conf::Route answering;
    answering.proxy = page.proxy;
    return proxy::make_reverse_proxy(answering, worker_.pools);
  }

  WorkerContext& worker_;
  const std::string& storage_;
};

}  // namespace

std::unique_ptr<SiteParts> worker_parts(WorkerContext& worker, const std::string& storage) {
  return std::make_unique<WorkerParts>(worker, storage);
}

void fill_router(proxy::Router& router, const conf::Config& config, SiteParts& parts) {
  for (std::size_t i = 0; i < config.sites.size(); ++i) {
    const conf::Site& settings = config.sites[i];
    Explained<std::unique_ptr<proxy::Site>> built = proxy::build_site(settings, i, parts.factory());
    if (!built) throw std::runtime_error(built.error());
    if (settings.hub) parts.add_hub(**built, *settings.hub);
    if (settings.hub && settings.routes.empty()) {
      // Nothing but the hub lives here, so it answers every path: with help where it is a wrong
      // one.
      conf::Route everything;
      everything.where = settings.where;
      everything.hub = settings.hub;
      Explained<proxy::Route> route = proxy::build_route(everything, parts.factory());
      if (!route) throw std::runtime_error(route.error());
      (*built)->routes.push_back(std::move(*route));
    }
    const proxy::Site& site = router.own(std::move(*built));
    for (const conf::SiteName& name : settings.names) {
      const Endpoint endpoint = endpoint_of(config, settings, name);
      router.add_name(name.host, {endpoint.port, endpoint.tls}, site);
      if (endpoint.tls && endpoint.port == config.https_port) {
        router.add_https_redirect(name.host, {config.http_port, false}, config.https_port);
      }
    }
  }
}

Snapshot::Snapshot(std::shared_ptr<const Generation> generation, WorkerContext& worker)
    : generation_(std::move(generation)) {
  WorkerParts parts(worker, generation_->config->storage);
  fill_router(router_, *generation_->config, parts);
  worker.pools.set_names(*generation_->names);
  hub_ = std::make_unique<HubEntrance>(worker.shard, conf::HubRef{true, {}});
}

Snapshot::~Snapshot() = default;

Task<> Snapshot::serve(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  const bool tunnel_to_anywhere =
      request.method == http::Method::connect && request.protocol.empty();
  if (tunnel_to_anywhere || request.method == http::Method::trace) {
    co_await refuse_method(exchange);
    co_return;
  }
  const proxy::Decision decision = router_.find(exchange);
  co_await run_handler(exchange, decision.handler(), decision);
  const bool logged =
      decision.site != nullptr && (decision.route == nullptr || decision.route->log);
  if (logged) write_access_line(exchange, *decision.site);
}

// Nobody's route is meant to be a forward proxy, and TRACE reflects credentials.
// Source: RFC 9110 §9.3.6 and §9.3.8.
Task<> Snapshot::refuse_method(http::Exchange& exchange) {
  http::Response response(exchange.arena);
  response.status = 405;
  response.headers.add("Allow", "GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS");
  const Result<> answered =
      co_await http::respond_error(exchange, response, "CONNECT and TRACE are not served here\n");
  if (!answered) exchange.reset(answered.error().code);
}

Task<> Snapshot::serve_hub(http::Exchange& exchange) {
  exchange.request.client_ip = exchange.connection.peer;
  const proxy::Decision none;
  co_await run_handler(exchange, hub_.get(), none);
}

Task<> Snapshot::run_handler(http::Exchange& exchange, http::Handler* handler,
                             const proxy::Decision& decision) {
  const Result<> served = co_await answer(exchange, handler, decision);
  if (served) co_return;
  const ErrorInfo& info = served.error().info();
  if (exchange.head_sent() || info.http_status == 0) {
    exchange.reset(served.error().code);
    co_return;
  }
  const Result<> answered = co_await http::respond_error(exchange, info.http_status, info.text);
  if (!answered) exchange.reset(answered.error().code);
}

Task<Result<>> Snapshot::answer(http::Exchange& exchange, http::Handler* handler,
                                const proxy::Decision& decision) {
  if (const proxy::Gates* const gates = decision.gates(); gates != nullptr) {
    for (const std::unique_ptr<proxy::Gate>& gate : *gates) {
      const Result<bool> passed = co_await gate->admit(exchange);
      if (!passed) co_return passed.error();
      if (!*passed) co_return Result<>();
    }
  }
  const http::Request& request = exchange.request;
  if (request.body == http::BodyKind::length && request.content_length > exchange.body_bytes_max) {
    co_return Errc::body_too_large;
  }
  if (handler == nullptr) co_return co_await proxy::answer_unrouted(exchange, decision);
  co_return co_await handler->handle(exchange);
}

void Snapshot::write_access_line(const http::Exchange& exchange, const proxy::Site& site) const {
  const AccessLog& log = generation_->access_logs[site.index];
  if (!log.sink || exchange.status_sent < log.settings.status_min) return;
  log.sink->append(http::format_access_line(exchange, log.settings));
}

}  // namespace portero
