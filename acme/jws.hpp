// Signed requests: what JOSE calls JWS, JWK and thumbprint. Accounts that are opened here sign by
// ES256, those taken over from certbot mostly by RS256; external account binding is HS256.
// Thread: any (pure; an AccountKey is immutable). Throws std::runtime_error with OpenSSL's reason.
// Source: RFC 7515, RFC 7517, RFC 7638, RFC 8555 §6.2 and §7.3.4.
#pragma once

#include <string>
#include <string_view>

#include "net/certificate_store.hpp"

namespace portero::acme {

// Without padding. Source: RFC 4648 §5.
std::string base64url(std::string_view bytes);
// Throws std::runtime_error when the text is no base64url; padding is allowed.
std::string from_base64url(std::string_view text);

class AccountKey {
 public:
  static AccountKey generate();
  // A P-256 or RSA key; throws std::runtime_error for any other.
  static AccountKey from_pem(std::string_view pem);
  // The same from a JWK with its private members. Source: RFC 7518 §6.
  static AccountKey from_jwk(std::string_view json);

  std::string pem() const;
  // The public key in the canonical form of RFC 7638, so that its hash is the thumbprint.
  const std::string& jwk() const noexcept { return jwk_; }
  std::string thumbprint() const;  // base64url of SHA-256

  // Flattened JSON serialization of a JWS. `header` is the protected header without `alg`:
  // members as JSON text, such as "\"nonce\":\"…\",\"url\":\"…\"".
  std::string sign(std::string_view header, std::string_view payload) const;

 private:
  explicit AccountKey(net::KeyPointer key);
  net::KeyPointer key_;
  std::string jwk_;
  bool is_rsa_ = false;
};

// The proof that the owner of an account at the CA wants `jwk` to be its ACME account.
// `hmac_key` is base64url, as CAs print it. Source: RFC 8555 §7.3.4.
std::string external_account_binding(std::string_view key_id, std::string_view hmac_key,
                                     std::string_view new_account_url, std::string_view jwk);

}  // namespace portero::acme
