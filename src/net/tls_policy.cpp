#include "net/tls_policy.hpp"

#include <openssl/ssl.h>

#include "base/assert.hpp"

namespace portero::net {
namespace {

constexpr const char* tls12_ciphers =
    "ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
    "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
    "ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
constexpr const char* tls13_ciphers =
    "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
constexpr const char* groups = "X25519:P-256:P-384";

}  // namespace

void apply_tls_policy(ssl_ctx_st* context) {
  SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
  SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
                                   SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
  // One read of the socket for header and payload; no buffers while idle; no hidden loops in reads.
  SSL_CTX_set_read_ahead(context, 1);
  SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
  SSL_CTX_clear_mode(context, SSL_MODE_AUTO_RETRY);
  const bool accepted = SSL_CTX_set_cipher_list(context, tls12_ciphers) == 1 &&
                        SSL_CTX_set_ciphersuites(context, tls13_ciphers) == 1 &&
                        SSL_CTX_set1_groups_list(context, groups) == 1;
  PORTERO_ASSERT(accepted);
}

std::string alpn_wire_form(const std::vector<std::string>& protocols) {
  std::string out;
  for (const std::string& name : protocols) {
    PORTERO_ASSERT(!name.empty() && name.size() <= 255);
    out += static_cast<char>(name.size());
    out += name;
  }
  return out;
}

}  // namespace portero::net
