#include "acme/jws.hpp"

#include <array>
#include <memory>
#include <stdexcept>
#include <vector>

#include <fmt/format.h>
#include <openssl/bn.h>
#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>

#include "acme/json_members.hpp"
#include "acme/openssl_parts.hpp"
#include "net/crypto.hpp"

namespace portero::acme {
namespace {

constexpr int coordinate_bytes = 32;  // of P-256

struct FreeBignum {
  void operator()(BIGNUM* number) const noexcept { BN_free(number); }
};
struct FreeDigest {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
};
struct FreeBuilder {
  void operator()(OSSL_PARAM_BLD* builder) const noexcept { OSSL_PARAM_BLD_free(builder); }
};
struct FreeParameters {
  void operator()(OSSL_PARAM* parameters) const noexcept { OSSL_PARAM_free(parameters); }
};
struct FreeKeyContext {
  void operator()(EVP_PKEY_CTX* context) const noexcept { EVP_PKEY_CTX_free(context); }
};
struct FreeSignature {
  void operator()(ECDSA_SIG* signature) const noexcept { ECDSA_SIG_free(signature); }
};

std::string padded(const BIGNUM* number) {
  std::string bytes(coordinate_bytes, '\0');
  check(BN_bn2binpad(number, reinterpret_cast<unsigned char*>(bytes.data()), coordinate_bytes) ==
            coordinate_bytes,
        "write a number");
  return bytes;
}

using Number = std::unique_ptr<BIGNUM, FreeBignum>;

Number number_of(const EVP_PKEY* key, const char* name) {
  BIGNUM* number = nullptr;
  check(EVP_PKEY_get_bn_param(key, name, &number) == 1, "read the public key");
  return Number(number);
}

std::string coordinate(const EVP_PKEY* key, const char* name) {
  return padded(number_of(key, name).get());
}

// Base64urlUInt: as few bytes as hold it. Source: RFC 7518 §2.
std::string shortest(const BIGNUM* number) {
  std::string bytes(static_cast<std::size_t>(BN_num_bytes(number)), '\0');
  BN_bn2bin(number, reinterpret_cast<unsigned char*>(bytes.data()));
  return base64url(bytes);
}

std::string digest_sign(EVP_PKEY* key, std::string_view text) {
  const std::unique_ptr<EVP_MD_CTX, FreeDigest> context(EVP_MD_CTX_new());
  const auto* const data = reinterpret_cast<const unsigned char*>(text.data());
  std::string signature(static_cast<std::size_t>(EVP_PKEY_get_size(key)), '\0');
  std::size_t size = signature.size();
  check(EVP_DigestSignInit(context.get(), nullptr, EVP_sha256(), nullptr, key) == 1 &&
            EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size,
                           data, text.size()) == 1,
        "sign");
  signature.resize(size);
  return signature;
}

// R and S side by side; OpenSSL gives them in DER. Source: RFC 7518 §3.4.
std::string ecdsa(EVP_PKEY* key, std::string_view text) {
  const std::string der = digest_sign(key, text);
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<ECDSA_SIG, FreeSignature> signature(
      d2i_ECDSA_SIG(nullptr, &at, static_cast<long>(der.size())));
  check(signature != nullptr, "sign");
  return padded(ECDSA_SIG_get0_r(signature.get())) + padded(ECDSA_SIG_get0_s(signature.get()));
}

std::string hmac_sha256(std::string_view key, std::string_view text) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  check(HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()),
             reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest.data(),
             &size) != nullptr,
        "compute HMAC-SHA256");
  return {reinterpret_cast<const char*>(digest.data()), size};
}

std::string flattened(std::string_view header, std::string_view payload,
                      std::string_view signature) {
  return fmt::format(R"({{"protected":"{}","payload":"{}","signature":"{}"}})", header, payload,
                     base64url(signature));
}

}  // namespace

std::string base64url(std::string_view bytes) {
  std::string text = net::base64_encode(bytes);
  while (text.ends_with('=')) text.pop_back();
  for (char& c : text) c = c == '+' ? '-' : c == '/' ? '_' : c;
  return text;
}

std::string from_base64url(std::string_view text) {
  while (text.ends_with('=')) text.remove_suffix(1);
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  std::string bytes;
  unsigned bits = 0;
  unsigned count = 0;
  for (const char c : text) {
    const char plain = c == '+' ? '-' : c == '/' ? '_' : c;
    const std::size_t value = alphabet.find(plain);
    if (value == std::string_view::npos) throw std::runtime_error("it is not base64url");
    bits = bits << 6 | static_cast<unsigned>(value);
    count += 6;
    if (count < 8) continue;
    count -= 8;
    bytes += static_cast<char>(bits >> count & 0xFF);
  }
  return bytes;
}

AccountKey::AccountKey(net::KeyPointer key)
    : key_(std::move(key)), is_rsa_(EVP_PKEY_is_a(key_.get(), "RSA") == 1) {
  if (is_rsa_) {
    jwk_ = fmt::format(R"({{"e":"{}","kty":"RSA","n":"{}"}})",
                       shortest(number_of(key_.get(), OSSL_PKEY_PARAM_RSA_E).get()),
                       shortest(number_of(key_.get(), OSSL_PKEY_PARAM_RSA_N).get()));
    return;
  }
  jwk_ = fmt::format(R"({{"crv":"P-256","kty":"EC","x":"{}","y":"{}"}})",
                     base64url(coordinate(key_.get(), OSSL_PKEY_PARAM_EC_PUB_X)),
                     base64url(coordinate(key_.get(), OSSL_PKEY_PARAM_EC_PUB_Y)));
}

AccountKey AccountKey::generate() { return AccountKey(make_p256_key()); }

AccountKey AccountKey::from_pem(std::string_view pem) {
  net::KeyPointer key = key_from_pem(pem);
  char group[32] = {};
  std::size_t size = 0;
  const bool is_p256 = EVP_PKEY_is_a(key.get(), "EC") == 1 &&
                       EVP_PKEY_get_group_name(key.get(), group, sizeof group, &size) == 1 &&
                       std::string_view(group) == "prime256v1";
  if (!is_p256 && EVP_PKEY_is_a(key.get(), "RSA") != 1) {
    throw std::runtime_error("the account's key is neither P-256 nor RSA");
  }
  return AccountKey(std::move(key));
}

AccountKey AccountKey::from_jwk(std::string_view json) {
  const boost::json::object jwk = parse_object(json);
  std::vector<Number> numbers;
  const std::unique_ptr<OSSL_PARAM_BLD, FreeBuilder> builder(OSSL_PARAM_BLD_new());
  const auto add = [&](const char* parameter, const char* member) {
    const std::string bytes = from_base64url(text_member(jwk, member));
    numbers.emplace_back(BN_bin2bn(reinterpret_cast<const unsigned char*>(bytes.data()),
                                   static_cast<int>(bytes.size()), nullptr));
    check(!bytes.empty() &&
              OSSL_PARAM_BLD_push_BN(builder.get(), parameter, numbers.back().get()) == 1,
          "read the account's key");
  };
  if (text_member(jwk, "kty") != "RSA") {
    throw std::runtime_error("the account's key is not RSA");  // certbot's only other kind
  }
  add(OSSL_PKEY_PARAM_RSA_N, "n");
  add(OSSL_PKEY_PARAM_RSA_E, "e");
  add(OSSL_PKEY_PARAM_RSA_D, "d");
  add(OSSL_PKEY_PARAM_RSA_FACTOR1, "p");
  add(OSSL_PKEY_PARAM_RSA_FACTOR2, "q");
  add(OSSL_PKEY_PARAM_RSA_EXPONENT1, "dp");
  add(OSSL_PKEY_PARAM_RSA_EXPONENT2, "dq");
  add(OSSL_PKEY_PARAM_RSA_COEFFICIENT1, "qi");
  const std::unique_ptr<OSSL_PARAM, FreeParameters> parameters(
      OSSL_PARAM_BLD_to_param(builder.get()));
  const std::unique_ptr<EVP_PKEY_CTX, FreeKeyContext> context(
      EVP_PKEY_CTX_new_from_name(nullptr, "RSA", nullptr));
  EVP_PKEY* key = nullptr;
  check(EVP_PKEY_fromdata_init(context.get()) == 1 &&
            EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_KEYPAIR, parameters.get()) == 1,
        "read the account's key");
  return AccountKey(net::KeyPointer(key));
}

std::string AccountKey::pem() const { return pem_of(key_.get()); }

std::string AccountKey::thumbprint() const { return base64url(sha256(jwk_)); }

std::string AccountKey::sign(std::string_view header, std::string_view payload) const {
  const std::string head =
      base64url(fmt::format(R"({{"alg":"{}",{}}})", is_rsa_ ? "RS256" : "ES256", header));
  const std::string body = base64url(payload);
  const std::string text = head + "." + body;
  return flattened(head, body, is_rsa_ ? digest_sign(key_.get(), text) : ecdsa(key_.get(), text));
}

std::string external_account_binding(std::string_view key_id, std::string_view hmac_key,
                                     std::string_view new_account_url, std::string_view jwk) {
  const std::string head =
      base64url(fmt::format(R"({{"alg":"HS256","kid":"{}","url":"{}"}})", key_id, new_account_url));
  const std::string body = base64url(jwk);
  return flattened(head, body, hmac_sha256(from_base64url(hmac_key), head + "." + body));
}

}  // namespace portero::acme
