// The key of RFC 7515 §A.3; thumbprint and HMAC were computed by another implementation.
#include "acme/jws.hpp"

#include <memory>
#include <stdexcept>
#include <string>

#include <boost/json.hpp>
#include <doctest/doctest.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>

#include "acme/json_members.hpp"
#include "acme/openssl_parts.hpp"

using namespace portero;
using namespace portero::acme;

namespace {

constexpr std::string_view rfc_key = R"(-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIff
H1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGDy+5v20t7WAczNXvp
7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt
-----END PRIVATE KEY-----
)";

// Whether the JWS is signed by the key, as a server checks it.
bool verifies(const boost::json::object& jws, const std::string& key_pem) {
  const std::string text = text_member(jws, "protected") + "." + text_member(jws, "payload");
  const std::string signature = from_base64url(text_member(jws, "signature"));
  if (signature.size() != 64) return false;
  const auto* const bytes = reinterpret_cast<const unsigned char*>(signature.data());
  ECDSA_SIG* const parts = ECDSA_SIG_new();
  ECDSA_SIG_set0(parts, BN_bin2bn(bytes, 32, nullptr), BN_bin2bn(bytes + 32, 32, nullptr));
  unsigned char* der = nullptr;
  const int size = i2d_ECDSA_SIG(parts, &der);
  ECDSA_SIG_free(parts);
  const net::KeyPointer key = key_from_pem(key_pem);
  EVP_MD_CTX* const context = EVP_MD_CTX_new();
  EVP_DigestVerifyInit(context, nullptr, EVP_sha256(), nullptr, key.get());
  const int verified =
      EVP_DigestVerify(context, der, static_cast<std::size_t>(size),
                       reinterpret_cast<const unsigned char*>(text.data()), text.size());
  EVP_MD_CTX_free(context);
  OPENSSL_free(der);
  return verified == 1;
}

}  // namespace

TEST_CASE("jws: base64url has no padding and its own alphabet") {
  CHECK(base64url("") == "");
  CHECK(base64url("f") == "Zg");
  CHECK(base64url("foob") == "Zm9vYg");
  CHECK(base64url("\xfb\xff\xfe") == "-__-");
  CHECK(from_base64url("-__-") == "\xfb\xff\xfe");
  CHECK(from_base64url("Zm9vYg==") == "foob");
  CHECK_THROWS_AS(from_base64url("Zm9v Yg"), std::runtime_error);
}

TEST_CASE("jws: the key of RFC 7515 has that document's coordinates") {
  const AccountKey key = AccountKey::from_pem(rfc_key);
  CHECK(key.jwk() ==
        R"({"crv":"P-256","kty":"EC","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",)"
        R"("y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})");
  CHECK(key.thumbprint() == "oKIywvGUpTVTyxMQ3bwIIeQUudfr_CkLMjCE19ECD-U");
}

TEST_CASE("jws: a signature is that of header and payload") {
  const AccountKey key = AccountKey::generate();
  boost::json::object jws = parse_object(key.sign(R"("nonce":"n","url":"https://ca/x")", "{}"));
  CHECK(from_base64url(text_member(jws, "protected")) ==
        R"({"alg":"ES256","nonce":"n","url":"https://ca/x"})");
  CHECK(from_base64url(text_member(jws, "payload")) == "{}");
  CHECK(verifies(jws, key.pem()));
  CHECK_FALSE(verifies(jws, AccountKey::generate().pem()));
  jws["payload"] = base64url("{ }");
  CHECK_FALSE(verifies(jws, key.pem()));
}

TEST_CASE("jws: a key survives its PEM form; other kinds are refused") {
  const AccountKey key = AccountKey::generate();
  CHECK(AccountKey::from_pem(key.pem()).jwk() == key.jwk());
  CHECK_THROWS_AS(AccountKey::from_pem("no key"), std::runtime_error);
  const net::KeyPointer other(EVP_EC_gen("P-384"));
  CHECK_THROWS_WITH_AS(AccountKey::from_pem(pem_of(other.get())),
                       "the account's key is neither P-256 nor RSA", std::runtime_error);
}

TEST_CASE("jws: an external account is bound by HMAC over the account's key") {
  const AccountKey key = AccountKey::from_pem(rfc_key);
  const boost::json::object jws = parse_object(external_account_binding(
      "kid-1", "zWNDZM6eQGHWpSRTPal5eIUYFTu7EajVIoguysqZ9wG44nMEtx3MUAsUDkMTQ12W",
      "https://ca/new-account", key.jwk()));
  CHECK(from_base64url(text_member(jws, "payload")) == key.jwk());
  CHECK(text_member(jws, "signature") == "0QrHtlE7tudaiR8FH88O26Do2EdrDgkgwkD6iQUCNI0");
}
