#include "net/crypto.hpp"

#include <array>
#include <memory>

#include <openssl/core_names.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/rand.h>

#include "base/assert.hpp"
#include "base/bytes.hpp"

namespace portero::net {
namespace {

struct Digest {
  std::array<unsigned char, EVP_MAX_MD_SIZE> bytes;
  std::size_t size = 0;

  std::string_view view() const noexcept {
    return {reinterpret_cast<const char*>(bytes.data()), size};
  }
};

// OpenSSL 3 looks an algorithm up by name under a lock; each one is fetched once per process.
const EVP_MD* fetched(const char* name) {
  const EVP_MD* const digest = EVP_MD_fetch(nullptr, name, nullptr);
  PORTERO_ASSERT(digest != nullptr);
  return digest;
}

struct FreeContext {
  void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
  void operator()(EVP_MAC_CTX* context) const noexcept { EVP_MAC_CTX_free(context); }
};

Digest digest_of(const EVP_MD* algorithm, std::string_view text) {
  thread_local const std::unique_ptr<EVP_MD_CTX, FreeContext> context(EVP_MD_CTX_new());
  Digest digest;
  unsigned size = 0;
  const bool done = EVP_DigestInit_ex2(context.get(), algorithm, nullptr) == 1 &&
                    EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1 &&
                    EVP_DigestFinal_ex(context.get(), digest.bytes.data(), &size) == 1;
  PORTERO_ASSERT(done);
  digest.size = size;
  return digest;
}

EVP_MAC_CTX* make_hmac_sha256() {
  static EVP_MAC* const hmac = EVP_MAC_fetch(nullptr, "HMAC", nullptr);
  EVP_MAC_CTX* const context = EVP_MAC_CTX_new(hmac);
  char name[] = "SHA256";
  const OSSL_PARAM parameters[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
                                   OSSL_PARAM_construct_end()};
  PORTERO_ASSERT(context != nullptr && EVP_MAC_CTX_set_params(context, parameters) == 1);
  return context;
}

const unsigned char* bytes_of(std::string_view text) noexcept {
  // Never null: for OpenSSL a null key means "keep the key of the last call".
  return reinterpret_cast<const unsigned char*>(text.data() == nullptr ? "" : text.data());
}

}  // namespace

std::string hmac_sha256_hex(std::string_view key, std::string_view text) {
  thread_local const std::unique_ptr<EVP_MAC_CTX, FreeContext> context(make_hmac_sha256());
  Digest digest;
  const bool done =
      EVP_MAC_init(context.get(), bytes_of(key), key.size(), nullptr) == 1 &&
      EVP_MAC_update(context.get(), bytes_of(text), text.size()) == 1 &&
      EVP_MAC_final(context.get(), digest.bytes.data(), &digest.size, digest.bytes.size()) == 1;
  PORTERO_ASSERT(done);
  return to_hex(digest.view());
}

std::string sha256_hex(std::string_view text) {
  static const EVP_MD* const algorithm = fetched("SHA256");
  return to_hex(digest_of(algorithm, text).view());
}

std::string md5_hex(std::string_view text) {
  static const EVP_MD* const algorithm = fetched("MD5");
  return to_hex(digest_of(algorithm, text).view());
}

std::string sha1_base64(std::string_view text) {
  static const EVP_MD* const algorithm = fetched("SHA1");
  return base64_encode(digest_of(algorithm, text).view());
}

std::string base64_encode(std::string_view bytes) {
  constexpr std::string_view alphabet =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
    unsigned group = 0;
    for (std::size_t j = 0; j < 3; ++j) {
      group = group << 8 | (j < count ? static_cast<unsigned char>(bytes[i + j]) : 0U);
    }
    for (std::size_t j = 0; j < 4; ++j) {
      out += j <= count ? alphabet[group >> (18 - 6 * j) & 63] : '=';
    }
  }
  return out;
}

std::optional<std::string> base64_decode(std::string_view text) {
  constexpr std::size_t group = 4;
  if (text.size() % group != 0) return std::nullopt;
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with('=') ? 1 : 0;
  if (text.substr(0, text.size() - padding).find('=') != std::string_view::npos) {
    return std::nullopt;
  }
  std::string out(text.size() / group * 3, '\0');
  const int written = ::EVP_DecodeBlock(reinterpret_cast<unsigned char*>(out.data()),
                                        reinterpret_cast<const unsigned char*>(text.data()),
                                        static_cast<int>(text.size()));
  if (written < 0) return std::nullopt;
  out.resize(out.size() - padding);
  return out;
}

void fill_random(std::span<char> out) {
  const int done =
      RAND_bytes(reinterpret_cast<unsigned char*>(out.data()), static_cast<int>(out.size()));
  PORTERO_ASSERT(done == 1);
}

std::string random_bytes(std::size_t count) {
  std::string bytes(count, '\0');
  fill_random(bytes);
  return bytes;
}

std::uint64_t random_u64() {
  std::uint64_t value = 0;
  fill_random({reinterpret_cast<char*>(&value), sizeof value});
  return value;
}

}  // namespace portero::net
