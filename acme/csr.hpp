// Requests for certificates, as certificate authorities take them.
// Thread: any (pure). Throws std::runtime_error with OpenSSL's reason.
#pragma once

#include <string>
#include <vector>

namespace portero::acme {

// A PKCS #10 request for the names (DNS names, wildcards, IP addresses), signed by `key_pem`.
// The subject is empty: CAs take the names from the extension. Source: RFC 2986, RFC 8555 §7.4.
std::string make_csr(const std::vector<std::string>& names, const std::string& key_pem);

// A new ECDSA P-256 key as PEM.
std::string make_key_pem();

}  // namespace portero::acme
