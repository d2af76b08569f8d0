// The request as an upstream gets it: what is passed on of the client's fields, what is added, and
// how the body is framed.
// Pure but for random bytes. Thread: the exchange's worker.
#pragma once

#include <string_view>

#include "http/exchange.hpp"
#include "http/h1_codec.hpp"
#include "proxy/header_edits.hpp"
#include "proxy/upstream_pool.hpp"

namespace portero::proxy {

// A change of protocol that the client asks for and the proxy will tunnel.
struct UpgradeRequest {
  std::string_view protocol;       // "websocket"; "" = none is asked for
  bool extended_connect = false;   // in the form of RFC 8441, over HTTP/2
  std::string_view websocket_key;  // made here, for extended CONNECT: the upstream answers to it
};

// Errors of the client are not found here: an upgrade that cannot be tunnelled (to h2c, or of a
// request with a body) is none, and goes on as an ordinary request.
// Source: RFC 9110 §7.8, RFC 8441 §4.
UpgradeRequest find_upgrade(http::Exchange& exchange);

// All views lie in the exchange's arena, in the request or in the pool.
struct UpstreamRequest {
  explicit UpstreamRequest(Arena& arena) noexcept : fields(arena) {}

  std::string_view method;
  http::HeaderList fields;
  http::BodyFraming body;
};

UpstreamRequest make_upstream_request(http::Exchange& exchange, const UpstreamPool& pool,
                                      const HeaderEdits& headers_up, const UpgradeRequest& upgrade);

// Whether the upstream's 101 is the answer to that upgrade. Source: RFC 6455 §4.1.
bool accepts_upgrade(const http::Response& response, const UpgradeRequest& upgrade);

// Removes what belongs to the upstream's connection or is this server's to say: hop-by-hop fields,
// framing, Server. `keep_upgrade`: Upgrade stays (426, and 101 which a tunnel follows).
void clean_response_fields(http::HeaderList& fields, bool keep_upgrade);

}  // namespace portero::proxy
