#include "conf/build_route.hpp"

#include <algorithm>
#include <array>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/bytes.hpp"
#include "conf/build_guards.hpp"
#include "conf/build_proxy.hpp"
#include "conf/build_values.hpp"
#include "conf/schema_objects.hpp"

namespace portero::conf {
namespace {

constexpr std::array<std::string_view, 7> actions = {"hub",     "proxy",    "php",   "files",
                                                     "respond", "redirect", "routes"};

using MatchPairs = std::vector<std::pair<std::string, std::vector<std::string>>>;

// `{name: value}`, or names that only must be there.
MatchPairs build_match_pairs(const Node* node) {
  MatchPairs pairs;
  if (node == nullptr) return pairs;
  for (std::string& name : texts_of(node))
    pairs.emplace_back(std::move(name), std::vector{std::string()});
  for (const Entry& entry : node->entries) {
    std::vector<std::string> values = texts_of(entry.value);
    if (values.empty()) values.emplace_back();
    pairs.emplace_back(entry.key->text, std::move(values));
  }
  return pairs;
}

Match build_match(const Node& node) {
  Match match;
  if (!node.is_map()) {
    match.path = texts_of(&node);
    return match;
  }
  match.path = texts_of(node.find("path"));
  match.method = texts_of(node.find("method"));
  for (std::string& method : match.method) {
    std::transform(method.begin(), method.end(), method.begin(), [](char c) {
      return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c;
    });
  }
  match.host = texts_of(node.find("host"));
  for (std::string& host : match.host) host = to_lower(host);
  match.protocol = texts_of(node.find("protocol"));
  match.header = build_match_pairs(node.find("header"));
  match.query = build_match_pairs(node.find("query"));
  match.cookie = build_match_pairs(node.find("cookie"));
  match.path_regexp = texts_of(node.find("path_regexp"));
  match.file = texts_of(node.find("file"));
  read_networks(node, "client_ip", match.client_ip);
  if (const Node* inner = node.find("not"); inner != nullptr && inner->is_map()) {
    match.not_ = std::make_shared<const Match>(build_match(*inner));
  }
  return match;
}

Php build_php(const RoutePlace& place, const Node& node) {
  Php php;
  std::string to = node.text;
  read_text(node, "to", to);
  if (Parsed<UpstreamAddress> address = parse_fastcgi(to)) php.to = *address;
  if (!node.is_map()) return php;
  read_text(node, "index", php.index);
  if (const Node* split = node.find("split_path")) php.split_path = texts_of(split);
  read_text(node, "root", php.root);
  php.env = read_pairs(node.find("env"));
  if (const Node* tried = node.find("try_files")) php.try_files = texts_of(tried);
  read_unsigned(node, "max_concurrent", php.max_concurrent);
  if (const Node* queue = node.find("queue")) build_queue(*queue, php.queue);
  read_boolean(node, "buffering", php.buffering);
  read_text(node, "sendfile_root", php.sendfile_root);
  if (!php.sendfile_root.empty()) {
    php.sendfile_root = resolve_path(place.scope.file, php.sendfile_root);
  }
  if (const Node* timeouts = node.find("timeouts")) {
    read_duration(*timeouts, "connect", php.timeouts.connect);
    read_duration(*timeouts, "response", php.timeouts.response);
  }
  return php;
}

Files build_files(const Node& node) {
  Files files;
  if (!node.is_map()) return files;
  if (const Node* index = node.find("index")) files.index = texts_of(index);
  read_text(node, "fallback", files.fallback);
  files.hide = texts_of(node.find("hide"));
  read_boolean(node, "browse", files.browse);
  if (const Node* kinds = node.find("precompressed")) files.precompressed = texts_of(kinds);
  read_text(node, "symlinks", files.symlinks);
  files.cache = read_pairs(node.find("cache"));
  return files;
}

Encode build_encode(const Node& node) {
  Encode encode;
  const Node* with = node.is_map() ? node.find("with") : &node;
  encode.with = with == nullptr ? std::vector<std::string>{"true"} : texts_of(with);
  if (encode.with == std::vector<std::string>{"off"}) encode.with.clear();
  if (encode.with == std::vector<std::string>{"true"}) encode.with = {"zstd", "br", "gzip"};
  if (!node.is_map()) return encode;
  encode.types = texts_of(node.find("types"));
  read_size(node, "min", encode.min);
  read_unsigned(node, "level", encode.level);
  return encode;
}

Redirect build_redirect(const Node& node) {
  Redirect redirect;
  redirect.to = node.text;
  if (!node.is_map()) return redirect;
  unsigned status = 308;
  read_text(node, "to", redirect.to);
  read_unsigned(node, "status", status);
  redirect.status = static_cast<int>(status);
  return redirect;
}

// What to do about several actions.
std::string_view way_out(const std::vector<std::string>& found) {
  const auto has = [&](std::string_view action) {
    return std::find(found.begin(), found.end(), action) != found.end();
  };
  if (has("`routes`")) return "put the other last in `routes`";
  if (has("`hub`")) return "only at the site itself may `hub` stand beside another";
  if (has("`php`") && has("`files`")) {
    return "`php` sends the files below `root` already; for other rules put a route with `match` "
           "and `files` before it in `routes`";
  }
  return "keep one, or give each its `match` in `routes`";
}

// Exactly one action; at a site, `hub` may stand beside another.
void check_actions(const RoutePlace& place, const Node& map, const KeyPath& path, bool is_site) {
  std::vector<std::string> found;
  for (const std::string_view action : actions) {
    if (map.has(action)) found.push_back(fmt::format("`{}`", action));
  }
  if (is_site && found.size() > 1 && found.front() == "`hub`") found.erase(found.begin());
  const Where& where = map.where;
  if (found.size() > 1) {
    std::string message = fmt::format("{} stand side by side, but a route does one thing; {}",
                                      fmt::join(found, " and "), way_out(found));
    place.context.problems.error({where, path.text(), std::move(message), "", "", ""});
  }
  if (!found.empty()) return;
  const Object& object = is_site ? objects::site : objects::route;
  const auto is_unknown = [&](const Entry& entry) {
    return object.find(entry.key->text) == nullptr;
  };
  // An action with a typo is reported already.
  if (std::any_of(map.entries.begin(), map.entries.end(), is_unknown)) return;
  place.context.problems.error(
      {where, path.text(), fmt::format("this {} does nothing", is_site ? "site" : "route"),
       "one of files, hub, php, proxy, redirect, respond, routes", "", ""});
}

void build_action(const RoutePlace& place, const Node& map, const KeyPath& path, Route& route) {
  if (const Node* node = map.find("proxy"); node != nullptr) {
    route.proxy = build_proxy(place, *node, path.key("proxy"));
  }
  if (const Node* node = map.find("php"); node != nullptr) route.php = build_php(place, *node);
  if (const Node* node = map.find("files"); node != nullptr) route.files = build_files(*node);
  if (const Node* node = map.find("respond"); node != nullptr)
    route.respond = build_respond(*node, 200);
  if (const Node* node = map.find("redirect"); node != nullptr) {
    route.redirect = build_redirect(*node);
  }
  const Node* routes = map.find("routes");
  if (routes == nullptr) return;
  const KeyPath list = path.key("routes");
  for (std::size_t i = 0; i < routes->items.size(); ++i) {
    const Node& item = *routes->items[i];
    if (item.is_map()) route.routes.push_back(build_route(place, item, list.item(i), false));
  }
}

bool names_field(const std::string& a, const std::string& b) { return iequals(a, b); }

// Drops what `inner` decides itself about a field.
void drop_overridden(HeaderEdit& outer, const HeaderEdit& inner) {
  const auto changes = [&](const std::string& name) {
    const auto is_name = [&](const auto& pair) { return names_field(pair.first, name); };
    const auto is_removed = [&](const std::string& removed) { return names_field(removed, name); };
    return std::any_of(inner.set.begin(), inner.set.end(), is_name) ||
           std::any_of(inner.remove.begin(), inner.remove.end(), is_removed);
  };
  const auto adds = [&](const std::string& name) {
    return std::any_of(inner.add.begin(), inner.add.end(),
                       [&](const auto& pair) { return names_field(pair.first, name); });
  };
  std::erase_if(outer.set, [&](const auto& pair) { return changes(pair.first); });
  std::erase_if(outer.add, [&](const auto& pair) { return changes(pair.first); });
  std::erase_if(outer.remove, [&](const auto& name) { return changes(name) || adds(name); });
}

void merge_headers(HeaderEdit outer, HeaderEdit& inner) {
  drop_overridden(outer, inner);
  inner.set.insert(inner.set.begin(), outer.set.begin(), outer.set.end());
  inner.add.insert(inner.add.begin(), outer.add.begin(), outer.add.end());
  inner.remove.insert(inner.remove.begin(), outer.remove.begin(), outer.remove.end());
  inner.replace.insert(inner.replace.begin(), outer.replace.begin(), outer.replace.end());
}

// What a route's inner ones are given of it, but for headers.
Route surroundings(const Route& route) {
  Route outer;
  outer.log_off = route.log_off;
  outer.root = route.root;
  outer.encode = route.encode;
  inherit_guards(route, outer);
  return outer;
}

// Connections and handshakes come before any route is known.
void refuse_site_limits(const RoutePlace& place, const Node& map, const KeyPath& path) {
  const Node* limits = map.find("limits");
  if (limits == nullptr) return;
  for (const std::string_view name : {"connections", "handshakes"}) {
    const Entry* entry = limits->find_entry(name);
    if (entry == nullptr) continue;
    place.context.problems.error(
        {entry->key->where, path.key("limits").key(name).text(),
         fmt::format("`{}` is counted before a route is known: move it to the site's `limits`",
                     name),
         "", "", ""});
  }
}

}  // namespace

Route build_route(const RoutePlace& place, const Node& map, const KeyPath& path, bool is_site) {
  Route route;
  route.where = map.where;
  check_actions(place, map, path, is_site);
  if (const Node* match = map.find("match"); match != nullptr) route.match = build_match(*match);
  route.headers = read_headers(map.find("headers"));
  route.headers_up = read_headers(map.find("headers_up"));
  read_text(map, "root", route.root);
  read_text(map, "strip_prefix", route.strip_prefix);
  read_text(map, "rewrite", route.rewrite);
  if (const Node* encode = map.find("encode")) route.encode = build_encode(*encode);
  route.try_files = texts_of(map.find("try_files"));
  build_guards(place, map, path, route);
  if (!is_site) refuse_site_limits(place, map, path);
  const Node* hub = map.find("hub");
  if (!is_site) {
    route.log_off = map.has("log");
    if (hub != nullptr) route.hub = build_hub_use(place, *hub, path.key("hub"));
  }
  build_action(place, map, path, route);
  if (is_site || route.routes.empty()) return route;
  pass_on(route);
  return route;
}

// Inner routes carry the whole of the headers, so that only they need to be looked at.
void pass_on(Route& route) {
  Route outer = surroundings(route);
  outer.headers = std::exchange(route.headers, {});
  outer.headers_up = std::exchange(route.headers_up, {});
  for (Route& inner : route.routes) inherit(outer, inner);
}

HubRef build_hub_use(const RoutePlace& place, const Node& node, const KeyPath& path) {
  HubRef hub;
  hub.all = node.is_scalar() && node.text == "true";
  if (!hub.all) hub.apps = texts_of(&node);
  place.context.hub_uses.push_back({node.where, path.text(), hub, &place.scope});
  return hub;
}

void inherit(const Route& outer, Route& route) {
  if (route.root.empty()) route.root = outer.root;
  if (!route.encode) route.encode = outer.encode;
  if (route.strip_prefix.empty()) route.strip_prefix = outer.strip_prefix;
  if (route.rewrite.empty()) route.rewrite = outer.rewrite;
  if (route.try_files.empty()) route.try_files = outer.try_files;
  route.log_off = route.log_off || outer.log_off;
  inherit_guards(outer, route);
  if (route.routes.empty()) {
    merge_headers(outer.headers, route.headers);
    merge_headers(outer.headers_up, route.headers_up);
    return;
  }
  // The path is changed once, where `routes` stands; the headers at the innermost routes.
  Route inner_part = surroundings(route);
  inner_part.headers = outer.headers;
  inner_part.headers_up = outer.headers_up;
  for (Route& inner : route.routes) inherit(inner_part, inner);
}

std::string build_pem_file(const RoutePlace& place, const Node& map, std::string_view key,
                           std::string_view label, const KeyPath& path) {
  const Node* node = map.find(key);
  if (node == nullptr || !node->is_scalar() || node->text.empty()) return {};
  const std::string file = resolve_path(place.scope.file, node->text);
  const Parsed<std::string> content = place.context.files.read(file);
  const auto report = [&](std::string message) {
    place.context.problems.error(
        {node->where, path.key(key).text(), std::move(message), "", "", ""});
  };
  if (!content) {
    report(fmt::format("{}: {}", file, content.error().message));
  } else if (content->find(fmt::format("{}-----", label)) == std::string::npos) {
    report(fmt::format("{} holds no {} in PEM form", file, to_lower(label)));
  }
  return file;
}

}  // namespace portero::conf
