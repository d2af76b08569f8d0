#include "explain.hpp"

#include <stdexcept>

#include <fmt/format.h>

#include "http/exchange.hpp"
#include "snapshot.hpp"

namespace portero {
namespace {

// An exchange that only carries a request.
class RequestOnly final : public http::Exchange {
 public:
  using http::Exchange::Exchange;
  Task<Result<Bytes>> read_body() override { co_return Bytes(); }
  Task<Result<>> send_interim(http::Response&) override { co_return Errc::cancelled; }
  Task<Result<>> write_body(Bytes, http::Last) override { co_return Errc::cancelled; }
  void reset(Errc) noexcept override {}
  bool client_gone() const noexcept override { return false; }

 protected:
  Task<Result<>> write_head(http::Response&) override { co_return Errc::cancelled; }
};

class NoHandler final : public http::Handler {
 public:
  Task<Result<>> handle(http::Exchange&) override { co_return Errc::cancelled; }
};

// By the configuration alone: without a running hub, an app is known when it is configured.
class ConfiguredHub final : public proxy::HubFilter {
 public:
  bool wants(const http::Request& request) const override {
    return request.path.starts_with("/app/") || request.path.starts_with("/apps/");
  }
};

class ExplainParts final : public SiteParts, private proxy::HandlerFactory {
 public:
  proxy::HandlerFactory& factory() override { return *this; }
  void add_hub(proxy::Site& site, const conf::HubRef&) override {
    site.hub_filter = std::make_unique<ConfiguredHub>();
    site.hub = std::make_unique<NoHandler>();
  }

 private:
  Explained<std::unique_ptr<http::Handler>> make_handler(const conf::Route&) override {
    return std::make_unique<NoHandler>();
  }
  Explained<proxy::Guards> make_guards(const conf::Route&) override { return proxy::Guards(); }
};

struct ParsedUrl {
  bool tls = true;
  bool websocket = false;
  std::string authority;
  std::string target;
  std::uint16_t port = 0;
};

ParsedUrl parse_url(const conf::Config& config, std::string_view url) {
  ParsedUrl parsed;
  const std::size_t scheme_end = url.find("://");
  if (scheme_end != std::string_view::npos) {
    const std::string scheme = to_lower(url.substr(0, scheme_end));
    parsed.websocket = scheme == "ws" || scheme == "wss";
    parsed.tls = scheme == "https" || scheme == "wss";
    if (!parsed.tls && !parsed.websocket && scheme != "http") {
      throw std::runtime_error("explain takes an http://, https://, ws:// or wss:// URL");
    }
    url.remove_prefix(scheme_end + 3);
  }
  const std::size_t slash = std::min(url.find('/'), url.size());
  parsed.authority = url.substr(0, slash);
  parsed.target = slash == url.size() ? "/" : std::string(url.substr(slash));
  parsed.port = parsed.tls ? config.https_port : config.http_port;
  const std::size_t colon = parsed.authority.rfind(':');
  if (colon != std::string::npos && parsed.authority.back() != ']') {
    const std::optional<std::uint64_t> port = parse_decimal(parsed.authority.substr(colon + 1));
    if (!port || *port == 0 || *port > 65535) {
      throw std::runtime_error("the URL has no valid port after \":\"");
    }
    parsed.port = static_cast<std::uint16_t>(*port);
  }
  return parsed;
}

}  // namespace

std::string explain_url(const conf::Config& config, std::string_view url) {
  const ParsedUrl parsed = parse_url(config, url);
  proxy::Router router;
  ExplainParts parts;
  fill_router(router, config, parts);

  http::ConnectionInfo connection;
  connection.peer = *IpAddress::parse("127.0.0.1");
  connection.local_port = parsed.port;
  connection.tls = parsed.tls;
  RequestOnly exchange(connection);
  http::Request& request = exchange.request;
  request.method_text = "GET";
  request.scheme = parsed.tls ? "https" : "http";
  request.authority = parsed.authority;
  request.target = parsed.target;
  if (parsed.websocket) {
    request.headers.add("Connection", "Upgrade");
    request.headers.add("Upgrade", "websocket");
  }
  if (http::normalise_target(request, exchange.arena) != http::TargetCheck::ok) {
    throw std::runtime_error(fmt::format("\"{}\" is not a valid host and path", url));
  }
  return router.explain(exchange);
}

}  // namespace portero
