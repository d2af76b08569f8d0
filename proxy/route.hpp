// Route: one entry of a site's `routes`, compiled: conditions, steps on the request, one handler or
// inner routes, steps on the response. Site: what all routes of a site block share.
// Built when a worker adopts a configuration; immutable afterwards, but for what handlers keep.
// Thread: the worker's. Owner: the Router.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"
#include "conf/config.hpp"
#include "http/handler.hpp"
#include "proxy/access.hpp"
#include "proxy/forwarded.hpp"
#include "proxy/gate.hpp"
#include "proxy/matchers.hpp"

namespace portero::proxy {

// Changes a request before its handler sees it.
class RequestStep {
 public:
  virtual ~RequestStep() = default;
  // Returns 0, or the status that the client gets instead of an answer of the route's.
  virtual int apply(http::Exchange& exchange) const = 0;
};

struct Route {
  conf::Where where;
  std::string name;                // for explain: "proxy nginx:80", "respond 200"
  std::optional<Matcher> matcher;  // none = always
  std::vector<std::unique_ptr<const RequestStep>> request_steps;
  std::vector<std::unique_ptr<const http::ResponseStep>> owned_response_steps;
  std::vector<const http::ResponseStep*> response_steps;  // the same, as an Exchange wants them
  std::unique_ptr<http::Handler> handler;                 // nullptr: `routes` decide
  std::vector<Route> routes;
  AccessList access;
  Guards guards;
  std::optional<MaintenanceFlag> maintenance;
  std::vector<Route> maintenance_answer;  // one, or none
  bool log = true;
  std::uint64_t body_bytes_max = UINT64_MAX;  // of a request

  void add_response_step(std::unique_ptr<const http::ResponseStep> step);
};

// Which requests of a site are the hub's although its routes would take them.
class HubFilter {
 public:
  virtual ~HubFilter() = default;
  virtual bool wants(const http::Request& request) const = 0;
};

struct Site {
  std::size_t index = 0;  // in conf::Config::sites
  std::string name;       // as written, for the log and explain
  TrustedProxies trusted_proxies;
  bool asks_for_certificate = false;  // clients must have shaken hands for this very name
  http::Timeouts timeouts;
  std::unique_ptr<const HubFilter> hub_filter;  // both or none
  std::unique_ptr<http::Handler> hub;
  AccessList hub_access;
  Guards guards;  // of the hub, and of what no route takes
  std::vector<Route> routes;
};

// Makes the handlers of terminals; only the composition root knows all kinds.
class HandlerFactory {
 public:
  virtual ~HandlerFactory() = default;
  // The terminal of a route without inner routes. Errors: a sentence for people.
  virtual Explained<std::unique_ptr<http::Handler>> make_handler(const conf::Route& route) = 0;
  // What stands before it. Errors: as make_handler.
  virtual Explained<Guards> make_guards(const conf::Route& route) = 0;
};

// Compiles a route and those inside it. Errors: what the factory says, with file and line.
Explained<Route> build_route(const conf::Route& settings, HandlerFactory& factory);

// Compiles a site but for its hub. Errors: as build_route.
Explained<std::unique_ptr<Site>> build_site(const conf::Site& settings, std::size_t index,
                                            HandlerFactory& factory);

}  // namespace portero::proxy
