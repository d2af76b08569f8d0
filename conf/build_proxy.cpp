#include "conf/build_proxy.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "conf/build_values.hpp"

namespace portero::conf {
namespace {

void build_proxy_tls(const RoutePlace& place, const Node& node, const KeyPath& path,
                     ProxyTls& tls) {
  read_text(node, "server_name", tls.server_name);
  read_boolean(node, "insecure", tls.insecure);
  tls.ca = build_pem_file(place, node, "ca", "CERTIFICATE", path);
  tls.cert = build_pem_file(place, node, "cert", "CERTIFICATE", path);
  tls.key = build_pem_file(place, node, "key", "PRIVATE KEY", path);
  if (node.has("cert") == node.has("key")) return;
  place.context.problems.error({node.where, path.text(),
                                fmt::format("`cert` and `key` belong together; `{}` is missing",
                                            node.has("cert") ? "key" : "cert"),
                                "", "", ""});
}

Health build_health(const Node& node) {
  Health health;
  read_text(node, "path", health.path);
  read_duration(node, "every", health.every);
  read_duration(node, "timeout", health.timeout);
  if (const Node* passive = node.find("passive"); passive != nullptr) {
    health.passive.emplace();
    read_unsigned(*passive, "fails", health.passive->fails);
    read_duration(*passive, "for", health.passive->out_for);
  }
  return health;
}

Retries build_retries(const Node& node) {
  Retries retries;
  read_unsigned(node, "tries", retries.tries);
  read_duration(node, "for", retries.within);
  std::string budget;
  read_text(node, "budget", budget);
  if (budget.ends_with('%')) budget.pop_back();
  if (const auto percent = parse_decimal(budget)) {
    retries.budget_percent = static_cast<unsigned>(*percent);
  }
  return retries;
}

void build_timeouts(const Node& node, ProxyTimeouts& timeouts) {
  read_duration(node, "connect", timeouts.connect);
  read_duration(node, "response", timeouts.response);
  read_duration(node, "idle", timeouts.idle);
}

}  // namespace

Proxy build_proxy(const RoutePlace& place, const Node& node, const KeyPath& path) {
  Proxy proxy;
  const Node* to = node.is_map() ? node.find("to") : &node;
  for (const std::string& text : texts_of(to)) {
    if (Parsed<UpstreamAddress> address = parse_upstream(text)) proxy.to.push_back(*address);
  }
  if (!node.is_map()) return proxy;
  read_text(node, "balance", proxy.balance);
  read_unsigned(node, "max_concurrent", proxy.max_concurrent);
  read_duration(node, "resolve", proxy.resolve);
  read_duration(node, "slow_start", proxy.slow_start);
  read_boolean(node, "http2", proxy.http2);
  read_boolean(node, "buffering", proxy.buffering);
  proxy.headers_up = read_headers(node.find("headers_up"));
  proxy.headers_down = read_headers(node.find("headers_down"));
  if (const Node* timeouts = node.find("timeouts")) build_timeouts(*timeouts, proxy.timeouts);
  if (const Node* health = node.find("health")) proxy.health = build_health(*health);
  if (const Node* retries = node.find("retries")) proxy.retries = build_retries(*retries);
  if (const Node* queue = node.find("queue")) {
    proxy.queue_given = true;
    build_queue(*queue, proxy.queue);
  }
  std::string header;
  read_text(node, "proxy_protocol", header);
  if (header == "v1") proxy.proxy_protocol = ProxyProtocol::v1;
  if (header == "v2") proxy.proxy_protocol = ProxyProtocol::v2;
  if (proxy.http2 && proxy.proxy_protocol != ProxyProtocol::none) {
    place.context.problems.error(
        {node.where, path.text(),
         "`http2` shares connections among clients, so `proxy_protocol` cannot tell who one is: "
         "leave one of them out",
         "", "", ""});
  }
  if (const Node* tls = node.find("tls")) {
    build_proxy_tls(place, *tls, path.key("tls"), proxy.tls);
  }
  return proxy;
}

void build_queue(const Node& node, Queue& queue) {
  read_unsigned(node, "size", queue.size);
  read_duration(node, "wait", queue.wait);
}

}  // namespace portero::conf
