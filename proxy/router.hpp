// Router: which site and route a request takes. One per worker, built with the configuration.
// The host is found by hash: its exact name, then its wildcard (*.example.com, one label), then the
// sites for any host; then the site's routes in the order of the file.
// Thread: the worker's. Owner: the worker's snapshot.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "http/exchange.hpp"
#include "proxy/route.hpp"

namespace portero::proxy {

enum class Outcome : std::uint8_t {
  route,         // route->handler answers
  hub,           // site->hub answers
  to_https,      // plain HTTP of a TLS site
  unknown_host,  // no site for that name on that port
  misdirected,   // a site with client certificates, by a handshake for another name
  no_route,      // a site, but none of its routes
  refused,       // a step of the route's did: with `status`
  forbidden,     // by `allow` or `deny`
};

struct Decision {
  Outcome outcome = Outcome::unknown_host;
  const Site* site = nullptr;
  const Route* route = nullptr;  // the last that was taken, also when none inside it was
  int status = 0;                // of refused
  std::uint16_t https_port = 0;  // of to_https

  // What must be passed before, whoever answers.
  const Gates* gates() const noexcept;
  // Who answers; nullptr when answer_unrouted() does.
  http::Handler* handler() const noexcept;
};

// What a listener is to the router.
struct Port {
  std::uint16_t number = 0;
  bool tls = false;
  friend bool operator==(const Port&, const Port&) = default;
};

class Router {
 public:
  // Serves `site` under `host` ("example.com", "*.example.com", "" for any) on `port`. The first
  // site of a name keeps it.
  void add_name(std::string_view host, Port port, const Site& site);
  // Answers plain HTTP for `host` with the address of its TLS site, unless a site is served there.
  void add_https_redirect(std::string_view host, Port plain, std::uint16_t https_port);
  // Takes a site that add_name() has named or will name.
  const Site& own(std::unique_ptr<Site> site);
  const std::vector<std::unique_ptr<Site>>& sites() const noexcept { return sites_; }

  // Decides. Fills request.client_ip, runs the request steps of the routes that are taken and gives
  // the exchange the route's response steps.
  Decision find(http::Exchange& exchange) const;
  // The same in words, a line for each thing that was looked at.
  std::string explain(http::Exchange& exchange) const;

 private:
  struct Place {
    const Site* site = nullptr;    // nullptr: only a redirect
    std::uint16_t https_port = 0;  // of that redirect
  };
  struct TextHash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using Hosts = std::unordered_map<std::string, Place, TextHash, std::equal_to<>>;
  struct Listener {
    Port port;
    Hosts hosts;
  };

  Hosts& hosts_of(Port port);
  const Place* find_host(Port port, std::string_view host) const;
  Decision decide(http::Exchange& exchange, std::string* story) const;

  std::vector<Listener> listeners_;
  std::vector<std::unique_ptr<Site>> sites_;
};

// Answers a decision that has no handler: 421 or 404 for an unknown host, 404 for no route, 308 to
// https, 403, the status of what refused. Errors: those of writing.
Task<Result<>> answer_unrouted(http::Exchange& exchange, const Decision& decision);

}  // namespace portero::proxy
