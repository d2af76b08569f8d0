// Who the client is when proxies stand before this one, and what an upstream is told about it:
// X-Forwarded-For, -Proto and -Host. What a client says about itself counts only when it comes
// through a trusted proxy.
// Thread: any (values). Source: RFC 7239 §8.1 for the reasons; the fields are a convention.
#pragma once

#include <string>
#include <vector>

#include "base/ip_address.hpp"
#include "http/exchange.hpp"

namespace portero::proxy {

class TrustedProxies {
 public:
  TrustedProxies() = default;
  // Addresses and networks; texts that are neither are left out (the loader has refused them).
  explicit TrustedProxies(const std::vector<std::string>& networks);

  void add(const std::vector<std::string>& networks);
  bool contains(const IpAddress& address) const noexcept;
  bool empty() const noexcept { return networks_.empty(); }

 private:
  std::vector<IpNetwork> networks_;
};

// Fills request.client_ip and request.trusted_peer: the right-most address of X-Forwarded-For that
// is no trusted proxy, when the peer is one; else the peer. Call before any matcher.
void identify_client(http::Exchange& exchange, const TrustedProxies& trusted);

// Whether a field tells about the way to us, so that only a trusted peer may send it.
bool is_forwarding_field(const http::Field& field) noexcept;

// Adds the three fields for an upstream. `fields` holds none of the same name.
void add_forwarded_fields(http::Exchange& exchange, http::HeaderList& fields);

}  // namespace portero::proxy
