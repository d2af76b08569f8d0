// What every TLS context of both sides has in common. Only tls_*.cpp include this.
// Policy: TLS 1.2 and 1.3, ECDHE with AEAD only, no renegotiation, no compression.
// Thread: any (pure, but for the context it is given). Source: RFC 9325.
#pragma once

#include <string>
#include <string_view>
#include <vector>

struct ssl_ctx_st;

namespace portero::net {

// Sets versions, ciphers, groups and modes.
void apply_tls_policy(ssl_ctx_st* context);

// ALPN names as a ClientHello carries them. Limits: 1 to 255 bytes each. Source: RFC 7301 §3.1.
std::string alpn_wire_form(const std::vector<std::string>& protocols);

inline const unsigned char* bytes_of(std::string_view text) noexcept {
  return reinterpret_cast<const unsigned char*>(text.data());
}

}  // namespace portero::net
