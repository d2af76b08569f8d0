// Builds the sites: their names, TLS, logs and routes.

#include <algorithm>

#include <fmt/format.h>

#include "conf/build.hpp"
#include "conf/build_acme.hpp"
#include "conf/build_guards.hpp"
#include "conf/build_route.hpp"
#include "conf/build_values.hpp"

namespace portero::conf {
namespace {

class SiteBuilder {
 public:
  SiteBuilder(BuildContext& context, const FileScope& scope, const KeyPath& path)
      : place_{context, scope}, path_(path) {}

  Site build(const Entry& entry) {
    Site site;
    site.where = site_where_ = entry.key->where;
    const Node& map = *entry.value;
    site.trusted_proxies = place_.context.config.trusted_proxies;
    site.timeouts = place_.context.config.timeouts;
    site.tls.acme = place_.context.config.acme;
    if (map.is_map()) {
      read_timeouts(map, site.timeouts);
      build_tls(map, site.tls);
      build_log(map, site.log);
      read_networks(map, "trusted_proxies", site.trusted_proxies);
      read_networks(map, "allow", site.hub_allow);
      read_networks(map, "deny", site.hub_deny);
      build_site_limits(place_, map, path_, site);
      if (const Node* hub = map.find("hub"); hub != nullptr) {
        site.hub = build_hub_use(place_, *hub, path_.key("hub"));
      }
      build_routes(map, site);
      check_roots(site.routes);
    }
    build_names(*entry.key, map, site);
    return site;
  }

 private:
  void report(const Where& where, const KeyPath& path, std::string message) {
    place_.context.problems.error({where, path.text(), std::move(message), "", "", ""});
  }

  void build_tls(const Node& map, Tls& tls) {
    const Node* node = map.find("tls");
    if (node == nullptr) return;
    if (node->text == "internal") tls.mode = TlsMode::internal;
    if (node->text == "off") tls.mode = TlsMode::off;
    if (!node->is_map()) return;
    const KeyPath path = path_.key("tls");
    std::string min;
    read_text(*node, "min", min);
    tls.min_tls13 = min == "1.3";
    if (node->has("cert") != node->has("key")) {
      report(node->where, path,
             fmt::format("`cert` and `key` belong together; `{}` is missing",
                         node->has("cert") ? "key" : "cert"));
    }
    build_acme(place_, *node, path, tls.acme);
    read_boolean(*node, "on_demand", tls.on_demand);
    if (tls.on_demand && !tls.acme.on_demand) {
      report(
          node->where, path,
          "`on_demand` needs `acme.on_demand: {ask: URL}`, which says who may have a certificate");
    }
    build_client_auth(*node, path, tls);
    issuers_given_ = node->has("issuers");
    on_demand_ = tls.on_demand;
    tls.cert = build_pem_file(place_, *node, "cert", "CERTIFICATE", path);
    tls.key = build_pem_file(place_, *node, "key", "PRIVATE KEY", path);
    if (node->has("cert") || node->has("key")) tls.mode = TlsMode::files;
  }

  void build_client_auth(const Node& map, const KeyPath& tls_path, Tls& tls) {
    const Node* node = map.find("client_auth");
    if (node == nullptr || !node->is_map()) return;
    std::string mode = "require";
    read_text(*node, "mode", mode);
    tls.client_auth = mode == "request"  ? ClientAuthMode::request
                      : mode == "verify" ? ClientAuthMode::verify
                                         : ClientAuthMode::require;
    const KeyPath path = tls_path.key("client_auth");
    tls.client_ca = build_pem_file(place_, *node, "ca", "CERTIFICATE", path);
    if (tls.client_auth == ClientAuthMode::verify && !node->has("ca")) {
      report(node->where, path, "`verify` needs `ca`: the roots to verify with");
    }
  }

  void build_log(const Node& map, AccessLog& log) {
    const Node* node = map.find("log");
    if (node == nullptr || node->text == "off") return;
    log.on = true;
    log.file = node->text;
    read_text(*node, "file", log.file);
    read_text(*node, "format", log.format);
    if (!log.file.empty()) log.file = resolve_path(place_.scope.file, log.file);
    if (node->is_map()) build_log_file(*node, log);
  }

  void build_log_file(const Node& node, AccessLog& log) {
    const KeyPath path = path_.key("log");
    read_text(node, "level", log.level);
    read_text(node, "group", log.group);
    if (const Node* mode = node.find("mode"); mode != nullptr && mode->is_scalar()) {
      const std::optional<unsigned> bits = parse_file_mode(mode->text);
      if (bits) log.mode = *bits;
    }
    if (const Node* roll = node.find("roll"); roll != nullptr) {
      log.roll.emplace();
      read_size(*roll, "size", log.roll->size);
      read_duration(*roll, "age", log.roll->age);
      read_unsigned(*roll, "keep", log.roll->keep);
      read_boolean(*roll, "compress", log.roll->compress);
    }
    for (auto& [field, text] : read_pairs(node.find("filter"))) {
      const LogFilter filter = text == "drop"   ? LogFilter::drop
                               : text == "hash" ? LogFilter::hash
                                                : LogFilter::mask;
      log.filter.emplace_back(field, filter);
    }
    const bool needs_file = log.roll || !log.group.empty();
    if (needs_file && log.file.empty()) {
      report(node.where, path, "`roll` and `group` need a `file`");
    }
  }

  // The body of a site is a route without `match`; with `routes` it is what stands around them.
  void build_routes(const Node& map, Site& site) {
    Route body = build_route(place_, map, path_, true);
    site.requests = body.requests;
    site.errors = body.errors;
    if (body.match) {
      if (!body.routes.empty()) pass_on(body);
      if (has_action(body)) site.routes.push_back(std::move(body));
      return;
    }
    if (!map.has("routes")) {
      if (has_action(body)) site.routes.push_back(std::move(body));
      return;
    }
    site.routes = std::move(body.routes);
    body.routes.clear();
    for (Route& route : site.routes) inherit(body, route);
  }

  // What a route wants a root for; "" when it wants none.
  static std::string_view use_of_root(const Route& route) {
    if (route.files) return "the folder of the files";
    if (!route.try_files.empty()) return "the folder in which `try_files` looks";
    if (route.match && !route.match->file.empty()) {
      return "the folder in which `match: {file}` looks";
    }
    return "";
  }

  // After everything was inherited. It is mostly one mistake, so the site's first is told.
  bool check_roots(const std::vector<Route>& routes) {
    for (const Route& route : routes) {
      const std::string_view use = use_of_root(route);
      if (route.root.empty() && !use.empty()) {
        report(route.where, path_, fmt::format("`root` is missing: {}", use));
        return false;
      }
      if (!check_roots(route.routes)) return false;
    }
    return true;
  }

  static bool has_action(const Route& route) {
    return route.proxy || route.php || route.files || route.respond || route.redirect ||
           !route.routes.empty();
  }

  void build_names(const Node& key, const Node& map, Site& site) {
    const bool has_tls = map.has("tls") && site.tls.mode != TlsMode::off;
    bool any_tls = false;
    for (const std::string_view text : split_site_names(key.text)) {
      Parsed<ParsedSiteName> parsed = parse_site_name(text);
      if (!parsed) continue;
      if (parsed->https) check_https_name(key, parsed->name, site.tls);
      SiteName name = std::move(parsed->name);
      if (!parsed->https) name.plain_http = name.plain_http || is_plain(name, site.tls, has_tls);
      name.by_acme = site.tls.mode == TlsMode::automatic && is_for_acme(name, site.tls.acme);
      any_tls = any_tls || !name.plain_http;
      site.names.push_back(std::move(name));
    }
    if (site.names.empty()) return;
    if (has_tls && !any_tls) {
      report(map.find_entry("tls")->key->where, path_.key("tls"),
             "all names of this site are plain HTTP, so `tls` has no use");
    }
    finish_tls(site, any_tls);
  }

  void check_https_name(const Node& key, const SiteName& name, const Tls& tls) {
    if (tls.mode == TlsMode::off) {
      report(key.where, path_, fmt::format("`tls: off` contradicts https:// in \"{}\"", name.text));
    }
    if (name.port != 0 && name.port == place_.context.config.http_port) {
      report(key.where, path_,
             fmt::format("port {} is that of plain HTTP (`http_port`), which contradicts https://",
                         name.port));
    }
  }

  // Without http:// a name is plain HTTP by `tls: off`, by the port of plain HTTP, and, as nothing
  // can be certified there, when it is only a port that nobody wants TLS on.
  bool is_plain(const SiteName& name, const Tls& tls, bool has_tls) const {
    const Config& config = place_.context.config;
    if (tls.mode == TlsMode::off || (name.port != 0 && name.port == config.http_port)) return true;
    return name.host.empty() && !has_tls && name.port != config.https_port;
  }

  void finish_tls(Site& site, bool any_tls) {
    if (!any_tls) {
      site.tls.mode = TlsMode::off;
      return;
    }
    if (site.tls.mode != TlsMode::automatic) return;
    const auto for_acme = [](const SiteName& name) { return name.by_acme; };
    if (std::none_of(site.names.begin(), site.names.end(), for_acme) && !site.tls.on_demand) {
      site.tls.mode = TlsMode::internal;
    } else if (site.tls.acme.uses_dns() && !site.tls.acme.dns) {
      report(site.where, path_, "the challenge dns-01 needs `acme.dns`: who keeps the zone");
    }
  }

  // Public names, and all when the site names its issuers. A wildcard is proven by DNS alone.
  bool is_for_acme(const SiteName& name, const Acme& acme) {
    if (name.plain_http || name.host.empty()) return false;
    if (on_demand_ && name.host.starts_with("*.") && acme.challenges_for(name.host).empty()) {
      return false;
    }
    if (is_internal_name(name.host) && !issuers_given_) return false;
    if (!acme.challenges_for(name.host).empty()) return true;
    place_.context.problems.warning(
        {site_where_, path_.text(),
         fmt::format("\"{}\" gets a certificate of portero's own CA, which browsers do not trust: "
                     "public wildcard certificates are proven by DNS alone; say in `acme.dns` who "
                     "keeps the zone, name the hosts, give the files in `tls: {{cert, key}}`, or "
                     "write `tls: internal` if this is wanted",
                     name.text),
         "", "", ""});
    return false;
  }

  RoutePlace place_;
  const KeyPath& path_;
  Where site_where_;
  bool issuers_given_ = false;
  bool on_demand_ = false;
};

}  // namespace

void build_sites(BuildContext& context, const FileScope& scope) {
  const Node* sites = scope.root->find("sites");
  if (sites == nullptr || !sites->is_map()) return;
  const KeyPath root;
  const KeyPath list = root.key("sites");
  for (const Entry& entry : sites->entries) {
    const KeyPath path = list.key(entry.key->text);
    context.config.sites.push_back(SiteBuilder(context, scope, path).build(entry));
  }
}

}  // namespace portero::conf
