#include "conf/validate.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/ip_address.hpp"
#include "conf/addresses.hpp"
#include "conf/forms.hpp"

namespace portero::conf {
namespace {

std::string site_path(const Site& site) {
  std::string names;
  for (const SiteName& name : site.names) names += (names.empty() ? "" : ", ") + name.text;
  return "sites." + names;
}

std::string place(const Where& where) { return fmt::format("{}:{}", where.file, where.line); }

class Validator {
 public:
  explicit Validator(BuildContext& context)
      : config_(context.config), hub_uses_(context.hub_uses), problems_(context.problems) {}

  void run() {
    check_site_names();
    check_ports();
    check_apps();
    check_hub_uses();
    if (problems_.has_errors()) return;  // what follows may only be their consequence
    for (const Site& site : config_.sites) {
      check_reachable(site.routes, site_path(site) + ".routes");
    }
    if (!config_.sites.empty() || !config_.hub.listen.empty()) return;
    const std::string file = config_.files.empty() ? std::string() : config_.files.front();
    problems_.warning({{file, 0, 0}, "", "there is nothing to serve: no `sites`", "", "", ""});
  }

 private:
  std::uint16_t port_of(const SiteName& name) const {
    if (name.port != 0) return name.port;
    return name.plain_http ? config_.http_port : config_.https_port;
  }

  void error(const Where& where, std::string path, std::string message) {
    problems_.error({where, std::move(path), std::move(message), "", "", ""});
  }

  void check_site_names() {
    std::map<std::tuple<std::string, std::uint16_t>, const Where*> seen;
    for (const Site& site : config_.sites) {
      for (const SiteName& name : site.names) {
        const auto [first, is_new] = seen.try_emplace({name.host, port_of(name)}, &site.where);
        if (is_new) continue;
        error(site.where, site_path(site),
              fmt::format("\"{}\" is the name of the site at {} already", name.text,
                          place(*first->second)));
      }
    }
  }

  // What a port is used for, and the first site that wants it so.
  struct PortUse {
    bool plain;
    std::string name;
    Where where;
  };

  void use_port(std::uint16_t port, const PortUse& use) {
    const auto [first, is_new] = ports_.try_emplace(port, use);
    if (is_new || first->second.plain == use.plain || !told_ports_.insert(port).second) return;
    error(use.where, "",
          fmt::format("port {} would be {} for \"{}\" and {} for \"{}\" ({})", port,
                      use.plain ? "plain HTTP" : "TLS", use.name, use.plain ? "TLS" : "plain HTTP",
                      first->second.name, place(first->second.where)));
  }

  void check_ports() {
    for (const Site& site : config_.sites) {
      for (const SiteName& name : site.names) {
        use_port(port_of(name), {name.plain_http, name.text, site.where});
        // Its plain requests are redirected from there.
        if (!name.plain_http && port_of(name) == config_.https_port) {
          use_port(config_.http_port, {true, name.text, site.where});
        }
      }
    }
    check_hub_port();
  }

  void check_hub_port() {
    const Parsed<ListenAddress> hub = parse_listen(config_.hub.listen);
    if (!hub) return;
    const auto port = ports_.find(hub->port);
    if (port == ports_.end()) return;
    const std::optional<IpAddress> own = IpAddress::parse(hub->host);
    const std::string any = own && own->is_v4() ? "0.0.0.0" : "[::]";
    const auto covers = [&](const std::string& bind) { return bind == any || bind == hub->host; };
    if (std::none_of(config_.bind.begin(), config_.bind.end(), covers)) return;
    error(port->second.where, "",
          fmt::format("port {} is needed by \"{}\" and by `hub.listen`: give `hub.listen` another",
                      hub->port, port->second.name));
  }

  void check_apps() {
    std::map<std::string_view, const HubApp*> ids;
    std::map<std::string_view, const HubApp*> keys;
    for (const HubApp& app : config_.hub.apps) {
      const std::string path = "hub.apps." + app.id;
      if (const auto [first, is_new] = ids.try_emplace(app.id, &app); !is_new) {
        error(app.where, path,
              fmt::format("this id stands at {} already", place(first->second->where)));
      }
      if (app.key.empty()) continue;
      if (const auto [first, is_new] = keys.try_emplace(app.key, &app); !is_new) {
        error(app.where, path,
              fmt::format("the application \"{}\" has the same `key`; clients are told apart by it",
                          first->second->id));
      }
    }
  }

  void check_hub_uses() {
    std::vector<std::string_view> ids;
    for (const HubApp& app : config_.hub.apps) ids.push_back(app.id);
    std::vector<std::string_view> words = ids;
    words.push_back("true");
    for (const HubUse& use : hub_uses_) {
      for (const std::string& id : use.hub.apps) {
        if (std::find(ids.begin(), ids.end(), id) != ids.end()) continue;
        Problem problem{use.where, use.key_path, "", "", nearest(id, words), ""};
        problem.message = fmt::format("there is no application \"{}\"", id);
        problem.expected = ids.empty() ? std::string("true, or an id of `hub.apps`")
                                       : fmt::format("true, or one of {}", fmt::join(ids, ", "));
        problems_.error(std::move(problem));
      }
    }
  }

  static bool takes_everything(const Route& route) {
    if (!route.match) return true;
    const Match& match = *route.match;
    const auto any_path = [](const std::string& path) { return path == "*" || path == "/*"; };
    return std::any_of(match.path.begin(), match.path.end(), any_path) && match.method.empty() &&
           match.host.empty() && match.protocol.empty() && match.header.empty() &&
           match.query.empty() && match.cookie.empty() && match.client_ip.empty() && !match.not_;
  }

  void check_reachable(const std::vector<Route>& routes, const std::string& path) {
    const Route* taker = nullptr;
    for (std::size_t i = 0; i < routes.size(); ++i) {
      const Route& route = routes[i];
      const std::string here = fmt::format("{}[{}]", path, i);
      check_reachable(route.routes, here + ".routes");
      if (taker != nullptr) {
        problems_.warning({route.where, here,
                           fmt::format("no request reaches this route: the one in line {} takes "
                                       "all of them",
                                       taker->where.line),
                           "", "", ""});
        return;
      }
      if (takes_everything(route)) taker = &route;
    }
  }

  const Config& config_;
  const std::vector<HubUse>& hub_uses_;
  Problems& problems_;
  std::map<std::uint16_t, PortUse> ports_;
  std::set<std::uint16_t> told_ports_;
};

}  // namespace

void validate(BuildContext& context) { Validator(context).run(); }

}  // namespace portero::conf
