#include "conf/build_guards.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "conf/build_proxy.hpp"
#include "conf/build_values.hpp"

namespace portero::conf {
namespace {

void report(const RoutePlace& place, const Where& where, const KeyPath& path, std::string message,
            std::string expected = {}) {
  place.context.problems.error(
      {where, path.text(), std::move(message), std::move(expected), "", ""});
}

// A page for the time when nothing else is served.
Maintenance build_maintenance(const RoutePlace& place, const Node& node) {
  Maintenance maintenance;
  maintenance.file = node.text;
  maintenance.respond = {
      503, "Down for maintenance. Please come back in a moment.\n", {{"Retry-After", "60"}}};
  if (node.is_map()) {
    read_text(node, "file", maintenance.file);
    read_networks(node, "allow", maintenance.allow);
    if (const Node* answer = node.find("respond"); answer != nullptr) {
      maintenance.respond = build_respond(*answer, 503);
      auto& headers = maintenance.respond.headers;
      const auto is_wait = [](const auto& pair) { return iequals(pair.first, "Retry-After"); };
      if (std::none_of(headers.begin(), headers.end(), is_wait)) {
        headers.emplace_back("Retry-After", "60");
      }
    }
  }
  maintenance.file = resolve_path(place.scope.file, maintenance.file);
  return maintenance;
}

bool is_password_hash(std::string_view text) {
  constexpr std::size_t bcrypt_chars = 60;
  const bool is_bcrypt =
      text.size() == bcrypt_chars &&
      (text.starts_with("$2y$") || text.starts_with("$2b$") || text.starts_with("$2a$")) &&
      text[6] == '$';
  return is_bcrypt || text.starts_with("$argon2id$v=19$");
}

// What stands there instead of a hash may be the password itself: the line is not shown.
void check_password_hash(const RoutePlace& place, const Node& node, const KeyPath& path) {
  const bool is_cut_off = node.text.starts_with("$2y$") && node.text.ends_with("...");
  if (is_password_hash(node.text)) return;
  Problem problem;
  problem.where = node.where;
  problem.key_path = path.text();
  problem.is_secret = true;
  if (is_cut_off) {
    problem.message = "this hash is cut off: nobody can log in with it";
    problem.expected = "what `portero hash-password` prints";
    place.context.problems.warning(std::move(problem));
    return;
  }
  problem.message = "this is not the hash of a password";
  problem.expected = "bcrypt ($2y$…) or argon2id, as `portero hash-password` prints";
  place.context.problems.error(std::move(problem));
}

// Users are the map itself, or stand under `users`.
BasicAuth build_basic_auth(const RoutePlace& place, const Node& node, const KeyPath& path) {
  BasicAuth auth;
  const bool has_map_form = node.has("users") && node.find("users")->is_map();
  const Node& users = has_map_form ? *node.find("users") : node;
  const KeyPath users_path = has_map_form ? path.key("users") : path;
  if (has_map_form) {
    read_text(node, "realm", auth.realm);
    read_duration(node, "cache", auth.cache);
  }
  for (const Entry& entry : users.entries) {
    const std::string& name = entry.key->text;
    if (!entry.value->is_scalar()) continue;
    if (name.find(':') != std::string::npos) {
      report(place, entry.key->where, users_path, "a user's name cannot hold a colon");
    }
    check_password_hash(place, *entry.value, users_path.key(name));
    auth.users.emplace_back(name, entry.value->text);
  }
  if (auth.users.empty()) report(place, node.where, path, "no user is given");
  return auth;
}

ForwardAuth build_forward_auth(const RoutePlace& place, const Node& node, const KeyPath& path) {
  ForwardAuth auth;
  std::string url = node.text;
  read_text(node, "to", url);
  const std::size_t host = url.find("://");
  if (host == std::string::npos) return auth;  // reported already
  const std::size_t target = std::min(url.find_first_of("/?", host + 3), url.size());
  if (target < url.size()) auth.target = url.substr(target);
  if (auth.target.front() == '?') auth.target = std::string("/").append(auth.target);
  const Parsed<UpstreamAddress> address = parse_upstream(url.substr(0, target));
  if (address) {
    auth.to = *address;
  } else {
    report(place, node.where, path, address.error().message);
  }
  if (!node.is_map()) return auth;
  auth.copy = texts_of(node.find("copy"));
  read_duration(node, "timeout", auth.timeout);
  return auth;
}

bool is_rate_subject(std::string_view subject) {
  return subject == "client_ip" || subject == "path" ||
         (subject.starts_with("header.") && subject.size() > std::string_view("header.").size());
}

std::optional<RequestRate> build_rate(const RoutePlace& place, const Node& node,
                                      const KeyPath& path) {
  const Parsed<Rate> rate = parse_rate(node.text);
  if (!rate) return std::nullopt;
  RequestRate limit;
  limit.count = rate->count;
  limit.per = rate->per;
  if (!rate->subject.empty()) limit.subject = rate->subject;
  limit.scope = path.text();
  limit.burst = std::max(rate->count, 1U);
  if (!is_rate_subject(limit.subject)) {
    report(place, node.where, path, fmt::format("requests cannot be counted per {}", limit.subject),
           "client_ip, path or header.NAME");
  }
  if (limit.count == 0) report(place, node.where, path, "a rate of 0 lets nobody in");
  return limit;
}

void build_requests(const RoutePlace& place, const Node& limits, const KeyPath& path,
                    Route& route) {
  const Node* node = limits.find("requests");
  if (node == nullptr) return;
  const KeyPath here = path.key("requests");
  const auto add = [&](const Node& item, const KeyPath& item_path) {
    if (!item.is_scalar()) return;
    std::optional<RequestRate> limit = build_rate(place, item, item_path);
    if (!limit) return;
    read_unsigned(limits, "burst", limit->burst);
    limit->burst = std::max(limit->burst, 1U);
    route.requests.push_back(std::move(*limit));
  };
  if (node->is_scalar()) add(*node, here);
  for (std::size_t i = 0; i < node->items.size(); ++i) add(*node->items[i], here.item(i));
}

void build_limits(const RoutePlace& place, const Node& map, const KeyPath& path, Route& route) {
  const Node* limits = map.find("limits");
  if (limits == nullptr) return;
  if (limits->has("body")) {
    std::uint64_t bytes = 0;
    read_size(*limits, "body", bytes);
    route.body_bytes_max = bytes;
  }
  build_requests(place, *limits, path.key("limits"), route);
}

ErrorPage build_error_page(const RoutePlace& place, const Entry& entry, const KeyPath& path) {
  ErrorPage page;
  for (const std::string_view text : split_site_names(entry.key->text)) {
    if (const auto status = parse_decimal(text)) page.statuses.push_back(static_cast<int>(*status));
  }
  const Node& node = *entry.value;
  const int given =
      (node.has("file") ? 1 : 0) + (node.has("respond") ? 1 : 0) + (node.has("proxy") ? 1 : 0);
  if (given != 1) report(place, node.where, path, "an error page is one of file, respond, proxy");
  read_text(node, "file", page.file);
  if (!page.file.empty()) {
    page.file = resolve_path(place.scope.file, page.file);
    if (const Parsed<std::string> content = place.context.files.read(page.file); !content) {
      place.context.problems.warning(
          {node.where, path.text(),
           fmt::format("{}: {}; until it is there, errors are answered with a plain page",
                       page.file, content.error().message),
           "", "", ""});
    }
  }
  // 0: the status of the error itself.
  if (const Node* respond = node.find("respond")) page.respond = build_respond(*respond, 0);
  if (const Node* proxy = node.find("proxy")) {
    page.proxy = build_proxy(place, *proxy, path.key("proxy"));
    read_text(node, "rewrite", page.rewrite);
  }
  return page;
}

}  // namespace

Respond build_respond(const Node& node, int status) {
  Respond respond;
  auto number_given = static_cast<unsigned>(status);
  if (node.is_map()) {
    read_unsigned(node, "status", number_given);
    read_text(node, "body", respond.body);
    respond.headers = read_pairs(node.find("headers"));
  } else if (Parsed<std::int64_t> number = parse_integer(node.text, {0, 999});
             number && !node.quoted) {
    number_given = static_cast<unsigned>(*number);
  } else {
    respond.body = node.text;
  }
  respond.status = static_cast<int>(number_given);
  return respond;
}

void build_guards(const RoutePlace& place, const Node& map, const KeyPath& path, Route& route) {
  read_networks(map, "allow", route.allow);
  read_networks(map, "deny", route.deny);
  if (const Node* node = map.find("maintenance")) {
    route.maintenance = build_maintenance(place, *node);
  }
  if (const Node* node = map.find("basic_auth"); node != nullptr && node->is_map()) {
    route.basic_auth = build_basic_auth(place, *node, path.key("basic_auth"));
  }
  if (const Node* node = map.find("forward_auth")) {
    route.forward_auth = build_forward_auth(place, *node, path.key("forward_auth"));
  }
  build_limits(place, map, path, route);
  if (const Node* errors = map.find("errors")) {
    const KeyPath here = path.key("errors");
    for (const Entry& entry : errors->entries) {
      if (!entry.value->is_map()) continue;
      route.errors.push_back(build_error_page(place, entry, here.key(entry.key->text)));
    }
  }
}

// `allow` and `deny` go together: a route with either has its own. Of pages the first for a status
// counts.
void inherit_guards(const Route& outer, Route& route) {
  if (route.allow.empty() && route.deny.empty()) {
    route.allow = outer.allow;
    route.deny = outer.deny;
  }
  if (!route.maintenance) route.maintenance = outer.maintenance;
  if (!route.basic_auth) route.basic_auth = outer.basic_auth;
  if (!route.forward_auth) route.forward_auth = outer.forward_auth;
  if (!route.body_bytes_max) route.body_bytes_max = outer.body_bytes_max;
  if (route.requests.empty()) route.requests = outer.requests;
  route.errors.insert(route.errors.end(), outer.errors.begin(), outer.errors.end());
}

void build_site_limits(const RoutePlace& place, const Node& map, const KeyPath& path, Site& site) {
  const Node* limits = map.find("limits");
  if (limits == nullptr) return;
  const KeyPath here = path.key("limits");
  if (const Node* node = limits->find("connections"); node != nullptr && node->is_scalar()) {
    if (const Parsed<Quota> quota = parse_quota(node->text)) site.connections_per_ip = quota->count;
  }
  if (const Node* node = limits->find("handshakes"); node != nullptr && node->is_scalar()) {
    site.handshakes = build_rate(place, *node, here.key("handshakes"));
  }
}

}  // namespace portero::conf
