#include "proxy/router.hpp"

#include <string>

#include <doctest/doctest.h>

#include "proxy/redirect.hpp"
#include "proxy/static_response.hpp"
#include "unit/proxy/fake_exchange.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;

namespace {

class Factory final : public HandlerFactory {
 public:
  Explained<std::unique_ptr<http::Handler>> make_handler(const conf::Route& route) override {
    if (!route.respond) return std::string("no terminal");
    return std::unique_ptr<http::Handler>(std::make_unique<StaticResponse>(*route.respond));
  }
  Explained<Guards> make_guards(const conf::Route&) override { return Guards(); }
};

conf::Route answering(const char* body, const char* path = nullptr) {
  conf::Route route;
  route.respond.emplace();
  route.respond->body = body;
  if (path != nullptr) {
    route.match.emplace();
    route.match->path = {path};
  }
  return route;
}

const Site& add_site(Router& router, std::vector<conf::Route> routes) {
  conf::Site settings;
  settings.routes = std::move(routes);
  settings.trusted_proxies = {"203.0.113.0/24"};
  settings.names = {{"a", 0, false, "a"}};
  Factory factory;
  Explained<std::unique_ptr<Site>> site = build_site(settings, 0, factory);
  REQUIRE(site);
  return router.own(std::move(*site));
}

http::ConnectionInfo listener(std::uint16_t port, bool tls) {
  http::ConnectionInfo info = proxy::test::test_connection();
  info.local_port = port;
  info.tls = tls;
  return info;
}

const http::ConnectionInfo plain = listener(80, false);
const http::ConnectionInfo tls = listener(443, true);

Task<> answer(FakeExchange& exchange, const Decision& decision) {
  if (decision.handler() != nullptr) {
    const Result<> done = co_await decision.handler()->handle(exchange);
    CHECK(done.has_value());
  } else {
    const Result<> done = co_await answer_unrouted(exchange, decision);
    CHECK(done.has_value());
  }
}

// "status body" of what answers.
std::string ask(const Router& router, std::string_view host, std::string_view target,
                const http::ConnectionInfo& info = plain) {
  FakeExchange exchange("GET", target, host, info);
  const Decision decision = router.find(exchange);
  spawn(answer(exchange, decision));
  run_queue().run();
  const std::string text = exchange.header("Location");
  return std::to_string(exchange.status) + " " + (text.empty() ? exchange.body : text);
}

}  // namespace

TEST_CASE("router: an exact name comes before a wildcard, a wildcard before any host") {
  Router router;
  const Site& exact = add_site(router, {answering("exact")});
  const Site& wildcard = add_site(router, {answering("wildcard")});
  const Site& any = add_site(router, {answering("any")});
  router.add_name("www.example.com", {80, false}, exact);
  router.add_name("*.example.com", {80, false}, wildcard);
  router.add_name("", {80, false}, any);
  CHECK(ask(router, "www.example.com", "/") == "200 exact");
  CHECK(ask(router, "WWW.Example.COM.:80", "/") == "200 exact");
  CHECK(ask(router, "x.example.com", "/") == "200 wildcard");
  CHECK(ask(router, "x.y.example.com", "/") == "200 any");
  CHECK(ask(router, "example.com", "/") == "200 any");
  CHECK(ask(router, "[::1]", "/") == "200 any");
}

TEST_CASE("router: a name belongs to its port and to TLS or not") {
  Router router;
  const Site& site = add_site(router, {answering("here")});
  router.add_name("a.example", {443, true}, site);
  router.add_https_redirect("a.example", {80, false}, 443);
  router.add_https_redirect("b.example", {80, false}, 8443);
  CHECK(ask(router, "a.example", "/", tls) == "200 here");
  CHECK(ask(router, "a.example:80", "/x?y=%20") == "308 https://a.example/x?y=%20");
  CHECK(ask(router, "b.example", "/") == "308 https://b.example:8443/");
  CHECK(ask(router, "b.example", "/", tls).starts_with("421 No site for \"b.example\""));
  CHECK(ask(router, "c.example", "/").starts_with("404 No site for \"c.example\""));
  CHECK(ask(router, "a.example", "/", listener(81, false)).starts_with("404 "));
}

TEST_CASE("router: a site on plain HTTP is not redirected, in whatever order they come") {
  Router router;
  const Site& site = add_site(router, {answering("plain")});
  router.add_https_redirect("a.example", {80, false}, 443);
  router.add_name("a.example", {80, false}, site);
  router.add_https_redirect("a.example", {80, false}, 443);
  CHECK(ask(router, "a.example", "/") == "200 plain");
}

TEST_CASE("router: routes are tried in order, and the first match wins") {
  Router router;
  const Site& site =
      add_site(router, {answering("a", "/a/*"), answering("b", "/a/b"), answering("rest", "/r")});
  router.add_name("a", {80, false}, site);
  CHECK(ask(router, "a", "/a/b") == "200 a");
  CHECK(ask(router, "a", "/r") == "200 rest");
  CHECK(ask(router, "a", "/none") == "404 Not found: no route takes this path.\n");
}

TEST_CASE("router: inner routes see the path after strip_prefix, and are final") {
  Router router;
  conf::Route outer;
  outer.match.emplace();
  outer.match->path = {"/api/*"};
  outer.strip_prefix = "/api";
  outer.routes = {answering("users {path} {uri}", "/users/*")};
  const Site& site = add_site(router, {outer, answering("rest")});
  router.add_name("a", {80, false}, site);
  CHECK(ask(router, "a", "/api/users/1") == "200 users /users/1 /api/users/1");
  CHECK(ask(router, "a", "/api/other").starts_with("404 Not found"));
  CHECK(ask(router, "a", "/x") == "200 rest");
}

TEST_CASE("router: hub traffic goes to the hub, the rest to the routes") {
  struct Filter final : HubFilter {
    bool wants(const http::Request& request) const override { return request.path == "/app/key"; }
  };
  conf::Site settings;
  settings.routes = {answering("pages")};
  Factory factory;
  Explained<std::unique_ptr<Site>> site = build_site(settings, 0, factory);
  REQUIRE(site);
  (*site)->hub_filter = std::make_unique<Filter>();
  conf::Respond hub;
  hub.body = "hub";
  (*site)->hub = std::make_unique<StaticResponse>(hub);
  Router router;
  router.add_name("a", {80, false}, router.own(std::move(*site)));
  CHECK(ask(router, "a", "/app/key") == "200 hub");
  CHECK(ask(router, "a", "/app/other") == "200 pages");
}

TEST_CASE("router: knows the client before it matches") {
  Router router;
  conf::Route inside = answering("inside");
  inside.match.emplace();
  inside.match->client_ip = {"192.0.2.0/24"};
  const Site& site = add_site(router, {inside, answering("outside")});
  router.add_name("a", {80, false}, site);
  FakeExchange exchange("GET", "/", "a", plain);
  exchange.request.headers.add("X-Forwarded-For", "192.0.2.7");
  CHECK(router.find(exchange).route == &site.routes[0]);
}

TEST_CASE("router: explains what it looked at") {
  Router router;
  conf::Route api = answering("api", "/api/*");
  api.where.line = 12;
  const Site& site = add_site(router, {api, answering("rest")});
  router.add_name("a", {80, false}, site);
  FakeExchange exchange("GET", "/x", "a", plain);
  CHECK(router.explain(exchange) ==
        "site a\nrespond 200, line 12: path /api/* ✗\nrespond 200: ✓\n");
  FakeExchange other("GET", "/x", "b", plain);
  CHECK(router.explain(other) == "no site for host b on this port\n");
}

TEST_CASE("router: gives the exchange the route's response steps") {
  Router router;
  conf::Route route = answering("x");
  route.headers.set = {{"X-Set", "1"}};
  const Site& site = add_site(router, {route});
  router.add_name("a", {80, false}, site);
  FakeExchange exchange("GET", "/", "a", plain);
  const Decision decision = router.find(exchange);
  spawn(answer(exchange, decision));
  run_queue().run();
  CHECK(exchange.header("X-Set") == "1");
}

TEST_CASE("route: a handler that cannot be made names its place") {
  conf::Route route;
  route.where = {"portero.yaml", 7, 3};
  Factory factory;
  const Explained<Route> built = build_route(route, factory);
  REQUIRE_FALSE(built.has_value());
  CHECK(built.error() == "portero.yaml:7: no terminal");
}
