#include "proxy/forwarded.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "proxy/placeholder.hpp"

namespace portero::proxy {
namespace {

using http::FieldId;

// "192.0.2.1", "192.0.2.1:4711", "2001:db8::1", "[2001:db8::1]:4711".
std::optional<IpAddress> parse_entry(std::string_view entry) {
  if (entry.starts_with('[')) return IpAddress::parse(entry.substr(0, entry.find(']') + 1));
  const std::size_t colon = entry.find(':');
  const bool has_port = colon != std::string_view::npos && colon == entry.rfind(':');
  return IpAddress::parse(entry.substr(0, has_port ? colon : std::string_view::npos));
}

// Goes through the entries of one X-Forwarded-For from the right. Returns false when `client` is
// final: an address nobody vouches for, or what lies behind text that is no address.
bool walk_back(std::string_view list, const TrustedProxies& trusted, IpAddress& client) {
  while (!list.empty()) {
    const std::size_t comma = list.rfind(',');
    const bool is_first = comma == std::string_view::npos;
    const std::string_view entry = trim_ows(is_first ? list : list.substr(comma + 1));
    list = is_first ? std::string_view() : list.substr(0, comma);
    if (entry.empty()) continue;
    const std::optional<IpAddress> address = parse_entry(entry);
    if (!address) return false;
    client = *address;
    if (!trusted.contains(client)) return false;
  }
  return true;
}

// The values of all fields of that kind, as one list.
std::string_view joined_values(const http::HeaderList& headers, FieldId id, Arena& arena) {
  std::string_view joined;
  for (const http::Field& field : headers) {
    if (field.id != id || field.value.empty()) continue;
    joined = joined.empty() ? field.value : arena.concat(joined, ", ", field.value);
  }
  return joined;
}

}  // namespace

TrustedProxies::TrustedProxies(const std::vector<std::string>& networks) { add(networks); }

void TrustedProxies::add(const std::vector<std::string>& networks) {
  for (const std::string& text : networks) {
    const std::optional<IpNetwork> network = IpNetwork::parse(text);
    if (network) networks_.push_back(*network);
  }
}

bool TrustedProxies::contains(const IpAddress& address) const noexcept {
  return std::any_of(networks_.begin(), networks_.end(),
                     [&](const IpNetwork& network) { return network.contains(address); });
}

void identify_client(http::Exchange& exchange, const TrustedProxies& trusted) {
  http::Request& request = exchange.request;
  request.client_ip = exchange.connection.peer;
  request.trusted_peer = trusted.contains(exchange.connection.peer);
  if (!request.trusted_peer) return;
  const std::span<const http::Field> fields = request.headers.all();
  for (auto field = fields.rbegin(); field != fields.rend(); ++field) {
    if (field->id != FieldId::x_forwarded_for) continue;
    if (!walk_back(field->value, trusted, request.client_ip)) return;
  }
}

bool is_forwarding_field(const http::Field& field) noexcept {
  switch (field.id) {
    case FieldId::forwarded:
    case FieldId::x_forwarded_for:
    case FieldId::x_forwarded_host:
    case FieldId::x_forwarded_proto:
    case FieldId::x_real_ip: return true;
    case FieldId::other: break;
    default: return false;
  }
  // Frameworks believe X-Forwarded-Port and -Prefix too.
  constexpr std::string_view prefix = "x-forwarded-";
  return field.name.size() > prefix.size() && iequals(field.name.substr(0, prefix.size()), prefix);
}

void add_forwarded_fields(http::Exchange& exchange, http::HeaderList& fields) {
  const http::Request& request = exchange.request;
  Arena& arena = exchange.arena;
  const std::string_view peer = address_text(exchange.connection.peer, arena);
  std::string_view before;
  std::string_view scheme;
  std::string_view host;
  if (request.trusted_peer) {
    before = joined_values(request.headers, FieldId::x_forwarded_for, arena);
    scheme = request.headers.value(FieldId::x_forwarded_proto).value_or(std::string_view());
    host = request.headers.value(FieldId::x_forwarded_host).value_or(std::string_view());
  }
  fields.add("X-Forwarded-For", before.empty() ? peer : arena.concat(before, ", ", peer),
             FieldId::x_forwarded_for);
  fields.add("X-Forwarded-Proto", scheme.empty() ? request.scheme : scheme,
             FieldId::x_forwarded_proto);
  if (host.empty()) host = request.authority;
  if (!host.empty()) fields.add("X-Forwarded-Host", host, FieldId::x_forwarded_host);
}

}  // namespace portero::proxy
