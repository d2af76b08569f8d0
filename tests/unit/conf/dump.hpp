// Prints a Config as text, so that tests can compare whole configurations. Parts that are as they
// are by default are left out.
#pragma once

#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "conf/config.hpp"
#include "conf/units.hpp"

namespace portero::conf {

class Dump {
 public:
  explicit Dump(const Config& config) {
    const Config standard;
    add("http_port", config.http_port, standard.http_port);
    add("https_port", config.https_port, standard.https_port);
    add("bind", fmt::format("{}", config.bind), fmt::format("{}", standard.bind));
    add("threads", config.threads, standard.threads);
    add("storage", config.storage, standard.storage);
    add("admin", config.admin, standard.admin);
    add("log_level", config.log_level, standard.log_level);
    add("log_format", config.log_format, standard.log_format);
    add("email", config.email, standard.email);
    add("grace_period", config.grace_period, standard.grace_period);
    add("http2", config.http2, standard.http2);
    add_timeouts(config.timeouts);
    add("trusted_proxies", fmt::format("{}", config.trusted_proxies), "[]");
    add_hub(config.hub);
    for (const Site& site : config.sites) add_site(site);
    add("files", fmt::format("{}", config.files), "");
  }

  const std::string& text() const { return out_; }

 private:
  static std::string show(Duration value) { return format_duration(value); }
  static std::string show(const std::string& value) { return "\"" + value + "\""; }
  static std::string show(bool value) { return value ? "true" : "false"; }
  template <class T>
  static std::string show(T value) {
    return fmt::format("{}", value);
  }
  static std::string show(const HubRef& hub) {
    return hub.all ? "all" : fmt::format("{}", hub.apps);
  }

  template <class T>
  void add(std::string_view name, const T& value, const T& standard) {
    if (value != standard) line(fmt::format("{}: {}", name, show(value)));
  }
  void add(std::string_view name, const std::string& value, std::string_view standard) {
    if (value != standard) line(fmt::format("{}: {}", name, value));
  }
  void line(std::string_view text) { out_ += std::string(indent_, ' ').append(text) + "\n"; }

  template <class Body>
  void block(std::string_view title, const Body& body) {
    line(title);
    indent_ += 2;
    body();
    indent_ -= 2;
  }

  void add_timeouts(const Timeouts& timeouts) {
    const Timeouts standard;
    add("timeouts.header", timeouts.header, standard.header);
    add("timeouts.body", timeouts.body, standard.body);
    add("timeouts.idle", timeouts.idle, standard.idle);
    add("timeouts.write", timeouts.write, standard.write);
  }

  void add_hub(const Hub& hub) {
    add("hub.listen", hub.listen, std::string_view());
    for (const HubApp& app : hub.apps) {
      block(fmt::format("app {} at line {}", app.id, app.where.line), [&] { add_app(app); });
    }
  }

  void add_app(const HubApp& app) {
    const HubApp standard;
    line(fmt::format("key: {} secret: {}", app.key, app.secret));
    add("allowed_origins", fmt::format("{}", app.allowed_origins), "[\"*\"]");
    add("max_connections", app.max_connections, standard.max_connections);
    add("max_message_size", app.max_message_size, standard.max_message_size);
    add("client_events", static_cast<int>(app.client_events),
        static_cast<int>(standard.client_events));
    add("ping_interval", app.ping_interval, standard.ping_interval);
    add("activity_timeout", app.activity_timeout, standard.activity_timeout);
    if (app.messages.count != 0) {
      line(fmt::format("messages: {} per {}", app.messages.count, show(app.messages.per)));
    }
    add("close_over_messages", app.close_over_messages, standard.close_over_messages);
    add("connections_per_ip", app.connections_per_ip, standard.connections_per_ip);
    add("presence_members", app.presence_members, standard.presence_members);
    add("presence_member_size", app.presence_member_size, standard.presence_member_size);
  }

  void add_site(const Site& site) {
    std::string names;
    for (const SiteName& name : site.names) {
      names += fmt::format(" {}host=\"{}\" port={}", name.plain_http ? "http " : "", name.host,
                           name.port);
    }
    block(fmt::format("site at line {}:{}", site.where.line, names), [&] {
      constexpr std::string_view modes[] = {"auto", "internal", "off", "files"};
      line(fmt::format("tls: {}{}", modes[static_cast<int>(site.tls.mode)],
                       site.tls.min_tls13 ? " min 1.3" : ""));
      add("cert", site.tls.cert, std::string_view());
      add("key", site.tls.key, std::string_view());
      for (const SiteName& name : site.names) {
        if (!name.by_acme) continue;
        std::string issuers;
        for (const Issuer& issuer : site.tls.acme.issuers) issuers += " " + issuer.directory;
        line(fmt::format("acme: {} from{} by {}", name.text, issuers, site.tls.acme.challenges));
      }
      if (site.log.on) line(fmt::format("log: \"{}\" {}", site.log.file, site.log.format));
      add("trusted_proxies", fmt::format("{}", site.trusted_proxies), "[]");
      add_timeouts(site.timeouts);
      if (site.hub) line("hub: " + show(*site.hub));
      for (const Route& route : site.routes) add_route(route);
    });
  }

  void add_route(const Route& route) {
    block(fmt::format("route at line {}", route.where.line), [&] {
      if (route.match) add_match("match", *route.match);
      add_headers("headers", route.headers);
      add_headers("headers_up", route.headers_up);
      add("strip_prefix", route.strip_prefix, std::string_view());
      add("rewrite", route.rewrite, std::string_view());
      if (route.log_off) line("log: off");
      if (route.hub) line("hub: " + show(*route.hub));
      add("root", route.root, std::string_view());
      if (route.body_bytes_max) line(fmt::format("limits.body: {}", *route.body_bytes_max));
      if (route.encode) add_encode(*route.encode);
      if (!route.allow.empty()) line(fmt::format("allow: {}", fmt::join(route.allow, ", ")));
      if (!route.deny.empty()) line(fmt::format("deny: {}", fmt::join(route.deny, ", ")));
      if (route.maintenance) {
        const Maintenance& down = *route.maintenance;
        line(fmt::format("maintenance: {} {} \"{}\" allow [{}]", down.file, down.respond.status,
                         down.respond.body, fmt::join(down.allow, ", ")));
      }
      add_guards(route);
      if (route.proxy) add_proxy(*route.proxy);
      if (route.php) add_php(*route.php);
      if (route.files) add_files(*route.files);
      if (route.respond) {
        line(fmt::format("respond: {} \"{}\" {}", route.respond->status, route.respond->body,
                         route.respond->headers));
      }
      if (route.redirect) {
        line(fmt::format("redirect: {} {}", route.redirect->status, route.redirect->to));
      }
      for (const Route& inner : route.routes) add_route(inner);
    });
  }

  void add_guards(const Route& route) {
    if (!route.try_files.empty()) line(fmt::format("try_files: {}", route.try_files));
    if (route.basic_auth) {
      line(fmt::format("basic_auth: {} realm \"{}\" cache {}", route.basic_auth->users,
                       route.basic_auth->realm, show(route.basic_auth->cache)));
    }
    if (route.forward_auth) {
      const ForwardAuth& auth = *route.forward_auth;
      line(fmt::format("forward_auth: {} {} copy {} timeout {}", auth.to.text, auth.target,
                       auth.copy, show(auth.timeout)));
    }
    for (const RequestRate& rate : route.requests) {
      line(fmt::format("limits.requests: {} per {} per {} burst {} ({})", rate.count,
                       show(rate.per), rate.subject, rate.burst, rate.scope));
    }
    for (const ErrorPage& page : route.errors) {
      block(fmt::format("errors {}", page.statuses), [&] {
        add("file", page.file, std::string_view());
        add("rewrite", page.rewrite, std::string_view());
        if (page.respond) {
          line(fmt::format("respond: {} \"{}\"", page.respond->status, page.respond->body));
        }
        if (page.proxy) add_proxy(*page.proxy);
      });
    }
  }

  void add_encode(const Encode& encode) {
    line(fmt::format("encode: {} types {} min {} level {}", encode.with, encode.types, encode.min,
                     encode.level));
  }

  void add_php(const Php& php) {
    const Php standard;
    block("php " + php.to.text, [&] {
      add("index", php.index, standard.index);
      add("split_path", fmt::format("{}", php.split_path), "[\".php\"]");
      add("root", php.root, standard.root);
      if (!php.env.empty()) line(fmt::format("env: {}", php.env));
      if (php.try_files != standard.try_files) line(fmt::format("try_files: {}", php.try_files));
      add("max_concurrent", php.max_concurrent, standard.max_concurrent);
      add("queue.size", php.queue.size, standard.queue.size);
      add("queue.wait", php.queue.wait, standard.queue.wait);
      add("buffering", php.buffering, standard.buffering);
      add("sendfile_root", php.sendfile_root, standard.sendfile_root);
      add("timeouts.connect", php.timeouts.connect, standard.timeouts.connect);
      add("timeouts.response", php.timeouts.response, standard.timeouts.response);
    });
  }

  void add_files(const Files& files) {
    const Files standard;
    block("files", [&] {
      if (files.index != standard.index) line(fmt::format("index: {}", files.index));
      add("fallback", files.fallback, standard.fallback);
      if (!files.hide.empty()) line(fmt::format("hide: {}", files.hide));
      if (files.precompressed != standard.precompressed) {
        line(fmt::format("precompressed: {}", files.precompressed));
      }
      add("symlinks", files.symlinks, standard.symlinks);
      if (!files.cache.empty()) line(fmt::format("cache: {}", files.cache));
    });
  }

  void add_match(std::string_view name, const Match& match) {
    block(name, [&] {
      const auto list = [&](std::string_view part, const std::vector<std::string>& values) {
        if (!values.empty()) line(fmt::format("{}: {}", part, values));
      };
      list("path", match.path);
      list("method", match.method);
      list("host", match.host);
      list("protocol", match.protocol);
      list("client_ip", match.client_ip);
      list("path_regexp", match.path_regexp);
      list("file", match.file);
      if (!match.header.empty()) line(fmt::format("header: {}", match.header));
      if (!match.query.empty()) line(fmt::format("query: {}", match.query));
      if (!match.cookie.empty()) line(fmt::format("cookie: {}", match.cookie));
      if (match.not_) add_match("not", *match.not_);
    });
  }

  void add_headers(std::string_view name, const HeaderEdit& edit) {
    if (!edit.set.empty()) line(fmt::format("{}.set: {}", name, edit.set));
    if (!edit.add.empty()) line(fmt::format("{}.add: {}", name, edit.add));
    if (!edit.remove.empty()) line(fmt::format("{}.remove: {}", name, edit.remove));
    for (const Replacement& change : edit.replace) {
      line(fmt::format("{}.replace: {} \"{}\" by \"{}\"", name, change.name, change.from,
                       change.to));
    }
  }

  void add_proxy(const Proxy& proxy) {
    const Proxy standard;
    std::string to;
    for (const UpstreamAddress& address : proxy.to) {
      to += fmt::format(" {}{}", address.tls ? "tls " : "",
                        address.unix_path.empty() ? fmt::format("{}|{}", address.host, address.port)
                                                  : "unix " + address.unix_path);
    }
    block("proxy:" + to, [&] {
      add("balance", proxy.balance, standard.balance);
      add("connect", proxy.timeouts.connect, standard.timeouts.connect);
      add("response", proxy.timeouts.response, standard.timeouts.response);
      add("idle", proxy.timeouts.idle, standard.timeouts.idle);
      add("max_concurrent", proxy.max_concurrent, standard.max_concurrent);
      add("resolve", proxy.resolve, standard.resolve);
      add("server_name", proxy.tls.server_name, standard.tls.server_name);
      add("ca", proxy.tls.ca, standard.tls.ca);
      add("insecure", proxy.tls.insecure, standard.tls.insecure);
      add("cert", proxy.tls.cert, standard.tls.cert);
      add("key", proxy.tls.key, standard.tls.key);
      add("http2", proxy.http2, false);
      add("buffering", proxy.buffering, false);
      add("slow_start", proxy.slow_start, standard.slow_start);
      add("proxy_protocol", static_cast<int>(proxy.proxy_protocol), 0);
      if (proxy.queue_given) {
        line(fmt::format("queue: {} wait {}", proxy.queue.size, show(proxy.queue.wait)));
      }
      add("retries.tries", proxy.retries.tries, standard.retries.tries);
      add("retries.for", proxy.retries.within, standard.retries.within);
      add("retries.budget", proxy.retries.budget_percent, standard.retries.budget_percent);
      if (!proxy.health.path.empty()) {
        line(fmt::format("health: {} every {} timeout {}", proxy.health.path,
                         show(proxy.health.every), show(proxy.health.timeout)));
      }
      if (proxy.health.passive) {
        line(fmt::format("passive: {} for {}", proxy.health.passive->fails,
                         show(proxy.health.passive->out_for)));
      }
      add_headers("headers_up", proxy.headers_up);
      add_headers("headers_down", proxy.headers_down);
    });
  }

  std::string out_;
  std::size_t indent_ = 0;
};

inline std::string dump(const Config& config) { return Dump(config).text(); }

}  // namespace portero::conf
