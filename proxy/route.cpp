#include "proxy/route.hpp"

#include "proxy/encode.hpp"
#include "proxy/header_edits.hpp"
#include "proxy/path_steps.hpp"
#include "proxy/rate_gate.hpp"

namespace portero::proxy {
namespace {

std::string place_text(const conf::Where& where) {
  if (where.line == 0) return {};
  return where.file + ":" + std::to_string(where.line) + ": ";
}

std::string proxy_name(const conf::Proxy& proxy) {
  std::string name = "proxy";
  for (const conf::UpstreamAddress& address : proxy.to) {
    name += (name.size() == 5 ? " " : ", ") + address.text;
  }
  return name;
}

std::string route_name(const conf::Route& route) {
  if (route.proxy) return proxy_name(*route.proxy);
  if (route.php) return "php " + route.php->to.text;
  if (route.files) return "files " + route.root;
  if (route.respond) return "respond " + std::to_string(route.respond->status);
  if (route.redirect) return "redirect " + route.redirect->to;
  return route.hub ? "hub" : "routes";
}

// The answer while a route is under maintenance, which is a route of its own.
Explained<Route> build_maintenance(const conf::Route& settings, HandlerFactory& factory) {
  conf::Route answer;
  answer.where = settings.where;
  answer.headers = settings.headers;
  answer.log_off = settings.log_off;
  answer.respond = settings.maintenance->respond;
  Explained<Route> built = build_route(answer, factory);
  if (built) built->name = "maintenance: " + settings.maintenance->file;
  return built;
}

}  // namespace

void Route::add_response_step(std::unique_ptr<const http::ResponseStep> step) {
  response_steps.push_back(step.get());
  owned_response_steps.push_back(std::move(step));
}

Explained<Route> build_route(const conf::Route& settings, HandlerFactory& factory) {
  Route route;
  route.where = settings.where;
  route.name = route_name(settings);
  route.log = !settings.log_off;
  if (settings.match) route.matcher.emplace(*settings.match, settings.root);
  if (!settings.strip_prefix.empty()) {
    route.request_steps.push_back(std::make_unique<StripPrefix>(settings.strip_prefix));
  }
  if (!settings.rewrite.empty()) {
    route.request_steps.push_back(std::make_unique<Rewrite>(settings.rewrite));
  }
  if (!settings.try_files.empty()) {
    route.request_steps.push_back(std::make_unique<TryFiles>(settings.root, settings.try_files));
  }
  if (!settings.headers.empty()) {
    route.add_response_step(std::make_unique<ResponseHeaders>(settings.headers));
  }
  if (!settings.requests.empty()) {
    route.add_response_step(std::make_unique<RateFields>(settings.requests));
  }
  if (settings.encode && !settings.encode->with.empty()) {
    route.add_response_step(std::make_unique<Encode>(*settings.encode));
  }
  Explained<Guards> guards = factory.make_guards(settings);
  if (!guards) return place_text(settings.where) + guards.error();
  route.guards = std::move(*guards);
  if (settings.body_bytes_max) route.body_bytes_max = *settings.body_bytes_max;
  for (const conf::Route& inner : settings.routes) {
    Explained<Route> built = build_route(inner, factory);
    if (!built) return built.error();
    route.routes.push_back(std::move(*built));
  }
  if (!route.routes.empty()) return route;
  route.access = AccessList(settings.allow, settings.deny);
  if (settings.maintenance) {
    Explained<Route> answer = build_maintenance(settings, factory);
    if (!answer) return answer.error();
    route.maintenance.emplace(settings.maintenance->file, settings.maintenance->allow);
    route.maintenance_answer.push_back(std::move(*answer));
  }
  Explained<std::unique_ptr<http::Handler>> handler = factory.make_handler(settings);
  if (!handler) return place_text(settings.where) + handler.error();
  route.handler = std::move(*handler);
  return route;
}

Explained<std::unique_ptr<Site>> build_site(const conf::Site& settings, std::size_t index,
                                            HandlerFactory& factory) {
  auto site = std::make_unique<Site>();
  site->index = index;
  for (const conf::SiteName& name : settings.names) {
    site->name += (site->name.empty() ? "" : ", ") + name.text;
  }
  conf::Route around;
  around.where = settings.where;
  around.requests = settings.requests;
  around.errors = settings.errors;
  Explained<Guards> guards = factory.make_guards(around);
  if (!guards) return guards.error();
  site->guards = std::move(*guards);
  site->hub_access = AccessList(settings.hub_allow, settings.hub_deny);
  site->trusted_proxies = TrustedProxies(settings.trusted_proxies);
  site->asks_for_certificate = settings.tls.client_auth != conf::ClientAuthMode::none;
  const conf::Timeouts& timeouts = settings.timeouts;
  site->timeouts = {timeouts.header, timeouts.body, timeouts.idle, timeouts.write};
  for (const conf::Route& inner : settings.routes) {
    Explained<Route> built = build_route(inner, factory);
    if (!built) return built.error();
    site->routes.push_back(std::move(*built));
  }
  return site;
}

}  // namespace portero::proxy
