#include "proxy/router.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "proxy/redirect.hpp"

namespace portero::proxy {
namespace {

constexpr std::uint16_t https_port_default = 443;

void tell(std::string* story, std::string_view a, std::string_view b = {},
          std::string_view c = {}) {
  if (story == nullptr) return;
  for (const std::string_view part : {a, b, c}) story->append(part);
  story->push_back('\n');
}

std::string route_text(const Route& route) {
  const std::string line =
      route.where.line == 0 ? "" : ", line " + std::to_string(route.where.line);
  return route.name + line;
}

// Walks the routes of one level. A route that matches is taken for good: when none of its inner
// routes matches, the request has no route.
Outcome walk(const std::vector<Route>& routes, http::Exchange& exchange, std::string* story,
             Decision& decision) {
  for (const Route& route : routes) {
    if (route.matcher && !route.matcher->matches(exchange)) {
      if (story != nullptr) {
        tell(story, route_text(route), ": ", route.matcher->explain(exchange));
      }
      continue;
    }
    if (story != nullptr) tell(story, route_text(route), ": ✓");
    decision.route = &route;
    if (!route.access.admits(exchange.request.client_ip)) {
      tell(story, "not allowed for this address: 403");
      return Outcome::forbidden;
    }
    if (route.maintenance && route.maintenance->is_up_for(exchange.request.client_ip)) {
      decision.route = route.maintenance_answer.data();
      if (story != nullptr) tell(story, decision.route->name);
      return Outcome::route;
    }
    for (const auto& step : route.request_steps) {
      decision.status = step->apply(exchange);
      if (decision.status == 0) continue;
      if (story != nullptr) tell(story, "refused: ", std::to_string(decision.status));
      return Outcome::refused;
    }
    if (route.handler == nullptr) return walk(route.routes, exchange, story, decision);
    return Outcome::route;
  }
  return Outcome::no_route;
}

// Whether a connection's handshake was for the host of this request. A client that connects to an
// address sends no name. Source: RFC 9110 §7.4.
bool names_agree(const http::Exchange& exchange) {
  const http::ConnectionInfo& connection = exchange.connection;
  if (!connection.tls) return true;
  const std::string_view host = exchange.request.host;
  return connection.sni.empty() ? host == connection.local.to_string() : host == connection.sni;
}

std::string_view without_first_label(std::string_view host) noexcept {
  const std::size_t dot = host.find('.');
  return dot == std::string_view::npos || dot == 0 ? std::string_view() : host.substr(dot);
}

}  // namespace

http::Handler* Decision::handler() const noexcept {
  if (outcome == Outcome::route) return route->handler.get();
  if (outcome == Outcome::hub) return site->hub.get();
  return nullptr;
}

const Gates* Decision::gates() const noexcept {
  if (outcome == Outcome::forbidden || site == nullptr) return nullptr;
  return route != nullptr ? &route->guards.gates : &site->guards.gates;
}

Router::Hosts& Router::hosts_of(Port port) {
  for (Listener& listener : listeners_) {
    if (listener.port == port) return listener.hosts;
  }
  return listeners_.emplace_back(Listener{port, {}}).hosts;
}

void Router::add_name(std::string_view host, Port port, const Site& site) {
  Place& place = hosts_of(port)[std::string(host)];
  if (place.site == nullptr) place = {&site, 0};
}

void Router::add_https_redirect(std::string_view host, Port plain, std::uint16_t https_port) {
  PORTERO_ASSERT(!plain.tls && https_port != 0);
  hosts_of(plain).try_emplace(std::string(host), Place{nullptr, https_port});
}

const Site& Router::own(std::unique_ptr<Site> site) {
  sites_.push_back(std::move(site));
  return *sites_.back();
}

const Router::Place* Router::find_host(Port port, std::string_view host) const {
  const auto listener = std::find_if(listeners_.begin(), listeners_.end(),
                                     [&](const Listener& l) { return l.port == port; });
  if (listener == listeners_.end()) return nullptr;
  const Hosts& hosts = listener->hosts;
  if (const auto exact = hosts.find(host); exact != hosts.end()) return &exact->second;
  constexpr std::size_t name_bytes_max = 253;
  const std::string_view rest = without_first_label(host);
  if (!rest.empty() && host.size() <= name_bytes_max) {
    char key[name_bytes_max + 1];
    key[0] = '*';
    std::copy(rest.begin(), rest.end(), key + 1);
    const auto wildcard = hosts.find(std::string_view(key, rest.size() + 1));
    if (wildcard != hosts.end()) return &wildcard->second;
  }
  const auto any = hosts.find(std::string_view());
  return any == hosts.end() ? nullptr : &any->second;
}

Decision Router::find(http::Exchange& exchange) const { return decide(exchange, nullptr); }

std::string Router::explain(http::Exchange& exchange) const {
  std::string story;
  decide(exchange, &story);
  return story;
}

Decision Router::decide(http::Exchange& exchange, std::string* story) const {
  const Port port{exchange.connection.local_port, exchange.connection.tls};
  const http::Request& request = exchange.request;
  Decision decision;
  const Place* const place = find_host(port, request.host);
  if (place == nullptr) {
    tell(story, "no site for host ", request.host, " on this port");
    return decision;
  }
  decision.https_port = place->https_port;
  if (place->site == nullptr) {
    tell(story, "plain HTTP of a TLS site: 308 to https");
    decision.outcome = Outcome::to_https;
    return decision;
  }
  if (place->site->asks_for_certificate && !names_agree(exchange)) {
    tell(story, "the handshake was for another name: 421");
    decision.outcome = Outcome::misdirected;
    return decision;
  }
  decision.site = place->site;
  exchange.error_pages = place->site->guards.error_pages.get();
  tell(story, "site ", place->site->name);
  exchange.timeouts = place->site->timeouts;
  identify_client(exchange, place->site->trusted_proxies);
  if (place->site->hub_filter != nullptr && place->site->hub_filter->wants(request)) {
    tell(story, "hub: ✓");
    const bool admitted = place->site->hub_access.admits(request.client_ip);
    if (!admitted) tell(story, "not allowed for this address: 403");
    decision.outcome = admitted ? Outcome::hub : Outcome::forbidden;
    return decision;
  }
  decision.outcome = walk(place->site->routes, exchange, story, decision);
  if (decision.route != nullptr) {
    exchange.error_pages = decision.route->guards.error_pages.get();
    exchange.response_steps = decision.route->response_steps;
    exchange.body_bytes_max = decision.route->body_bytes_max;
  }
  if (decision.outcome == Outcome::no_route) tell(story, "no route: 404");
  return decision;
}

Task<Result<>> answer_unrouted(http::Exchange& exchange, const Decision& decision) {
  Arena& arena = exchange.arena;
  const http::Request& request = exchange.request;
  switch (decision.outcome) {
    case Outcome::to_https: {
      if (request.host.empty()) break;
      const std::string_view port =
          decision.https_port == https_port_default
              ? std::string_view()
              : arena.concat(":", arena.copy(std::to_string(decision.https_port)));
      const std::string_view target = request.target == "*" ? "/" : request.target;
      co_return co_await redirect_to(exchange, 308,
                                     arena.concat("https://", request.host, port, target));
    }
    case Outcome::unknown_host: {
      const std::string_view text = arena.concat(
          "No site for \"", request.host,
          "\" is served here. Check the name, or add it under `sites` in the site file.\n");
      co_return co_await http::respond_error(exchange, exchange.connection.tls ? 421 : 404, text);
    }
    case Outcome::misdirected:
      co_return co_await http::respond_error(
          exchange, 421, "This site needs a connection of its own: the handshake was for another.");
    case Outcome::no_route:
      co_return co_await http::respond_error(exchange, 404,
                                             "Not found: no route takes this path.\n");
    case Outcome::forbidden:
      co_return co_await http::respond_error(exchange, 403, "Forbidden: not from this address.\n");
    case Outcome::refused: {
      const std::string_view reason = http::reason_phrase(decision.status);
      co_return co_await http::respond_error(exchange, decision.status, reason);
    }
    case Outcome::route:
    case Outcome::hub: break;
  }
  co_return co_await http::respond_error(exchange, 400, "Bad request.\n");
}

}  // namespace portero::proxy
