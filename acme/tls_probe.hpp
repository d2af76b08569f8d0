// Asks a server for its answer to a tls-alpn-01 challenge, as an authority does.
// Thread: the ACME threads; blocks for up to 3 s. Source: RFC 8737 §3.
#pragma once

#include <string>

#include "base/ip_address.hpp"

namespace portero::acme {

enum class ProbeResult : std::uint8_t { ours, foreign, unreachable };

// `digest` is the SHA-256 of the key authorization that the certificate must hold.
ProbeResult probe_tls_alpn(const IpAddress& address, std::uint16_t port,
                           const std::string& server_name, const std::string& digest);

}  // namespace portero::acme
