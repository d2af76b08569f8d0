#include "proxy/upstream_request.hpp"

#include "base/bytes.hpp"
#include "net/crypto.hpp"
#include "proxy/forwarded.hpp"
#include "proxy/hop_by_hop.hpp"

namespace portero::proxy {
namespace {

using http::Field;
using http::FieldId;

constexpr std::size_t websocket_key_bytes = 16;
constexpr std::string_view websocket_guid = "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

// Whether a field of the client's goes on as it is.
bool passes(const Field& field, const http::Request& request, const NominatedFields& nominated) {
  switch (field.id) {
    case FieldId::host:
    case FieldId::content_length:
    case FieldId::expect:
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_proto: return false;  // written anew
    case FieldId::sec_websocket_key:
      if (request.version == http::Version::http_2) return false;
      break;
    default: break;
  }
  if (!is_end_to_end(field, nominated)) return false;
  return request.trusted_peer || !is_forwarding_field(field);
}

std::string_view host_for(const http::Request& request, const UpstreamPool& pool) {
  const bool own_name = pool.settings().tls || request.authority.empty();
  return own_name ? std::string_view(pool.host_field()) : request.authority;
}

// A method that usually has a body says so when it has none. Source: RFC 9110 §8.6.
http::BodyFraming framing_of(const http::Request& request) noexcept {
  using http::Method;
  const bool expects_length = request.method == Method::post || request.method == Method::put ||
                              request.method == Method::patch;
  if (request.body == http::BodyKind::none) {
    return expects_length ? http::BodyFraming{http::BodyKind::length, 0} : http::BodyFraming{};
  }
  return {request.body, request.content_length};
}

}  // namespace

UpgradeRequest find_upgrade(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  if (request.method == http::Method::connect) {
    if (!request.is_websocket_upgrade()) return {};
    char random[websocket_key_bytes];
    net::fill_random(random);
    const std::string key = net::base64_encode(std::string_view(random, sizeof random));
    return {"websocket", true, exchange.arena.copy(key)};
  }
  const bool has_body = request.body != http::BodyKind::none && request.content_length != 0;
  if (request.version != http::Version::http_1_1 || request.method != http::Method::get ||
      has_body || request.body == http::BodyKind::chunked ||
      !request.headers.has_token(FieldId::connection, "upgrade")) {
    return {};
  }
  std::string_view protocol;
  for (const Field& field : request.headers) {
    if (field.id != FieldId::upgrade) continue;
    if (!protocol.empty() || list_has_token(field.value, "h2c")) return {};
    protocol = field.value;
  }
  return {protocol, false, {}};
}

UpstreamRequest make_upstream_request(http::Exchange& exchange, const UpstreamPool& pool,
                                      const HeaderEdits& headers_up,
                                      const UpgradeRequest& upgrade) {
  const http::Request& request = exchange.request;
  UpstreamRequest out(exchange.arena);
  out.method = upgrade.extended_connect ? "GET" : request.method_text;
  out.fields.add("Host", host_for(request, pool), FieldId::host);
  const NominatedFields nominated(request.headers);
  for (const Field& field : request.headers) {
    if (passes(field, request, nominated)) out.fields.add(field);
  }
  add_forwarded_fields(exchange, out.fields);
  if (!upgrade.protocol.empty()) {
    out.fields.add("Connection", "Upgrade", FieldId::connection);
    out.fields.add("Upgrade", upgrade.protocol, FieldId::upgrade);
    if (upgrade.extended_connect) {
      out.fields.add("Sec-WebSocket-Key", upgrade.websocket_key, FieldId::sec_websocket_key);
    }
  } else {
    out.body = framing_of(request);
    if (request.expects_continue) out.fields.add("Expect", "100-continue", FieldId::expect);
  }
  headers_up.apply(out.fields, exchange);
  return out;
}

bool accepts_upgrade(const http::Response& response, const UpgradeRequest& upgrade) {
  if (upgrade.protocol.empty()) return false;
  const std::string_view chosen =
      response.headers.value(FieldId::upgrade).value_or(std::string_view());
  if (chosen.empty() || !list_has_token(upgrade.protocol, chosen)) return false;
  if (!upgrade.extended_connect) return true;
  const std::string accept =
      net::sha1_base64(std::string(upgrade.websocket_key) + std::string(websocket_guid));
  return response.headers.value(FieldId::sec_websocket_accept) == std::string_view(accept);
}

void clean_response_fields(http::HeaderList& fields, bool keep_upgrade) {
  const NominatedFields nominated(fields);
  // Connection goes last: it says what else has to go.
  fields.remove_if([&](const Field& field) {
    if (field.id == FieldId::upgrade) return !keep_upgrade;
    if (field.id == FieldId::connection) return false;
    return field.id == FieldId::content_length || field.id == FieldId::server ||
           !is_end_to_end(field, nominated);
  });
  fields.remove(FieldId::connection);
}

}  // namespace portero::proxy
