#include "proxy/password_hash.hpp"

#include <argon2.h>
#include <crypt.h>

#include <array>
#include <memory>

#include "net/crypto.hpp"

namespace portero::proxy {
namespace {

constexpr unsigned long bcrypt_rounds = 12;
constexpr std::size_t bcrypt_password_max = 72;  // bytes; what follows would not count
constexpr std::string_view argon2_prefix = "$argon2id$";
// Source: RFC 9106 §4, the second recommendation (memory is scarce on a VPS).
constexpr std::uint32_t argon2_passes = 3;
constexpr std::uint32_t argon2_memory_kib = 64 * 1024;
constexpr std::uint32_t argon2_lanes = 4;
constexpr std::size_t argon2_salt_bytes = 16;
constexpr std::size_t argon2_hash_bytes = 32;

bool equal_in_constant_time(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  unsigned difference = 0;
  for (std::size_t i = 0; i < a.size(); ++i) {
    difference |= static_cast<unsigned char>(a[i]) ^ static_cast<unsigned char>(b[i]);
  }
  return difference == 0;
}

PasswordHash hash_with_argon2(std::string_view password) {
  const std::string salt = net::random_bytes(argon2_salt_bytes);
  std::array<char, 256> encoded{};
  const int failed = ::argon2id_hash_encoded(
      argon2_passes, argon2_memory_kib, argon2_lanes, password.data(), password.size(), salt.data(),
      salt.size(), argon2_hash_bytes, encoded.data(), encoded.size());
  if (failed != ARGON2_OK) return {{}, ::argon2_error_message(failed)};
  return {encoded.data(), {}};
}

}  // namespace

PasswordHash hash_password(std::string_view password, PasswordScheme scheme) {
  if (password.empty()) return {{}, "the password is empty"};
  if (password.find('\0') != std::string_view::npos) {
    return {{}, "the password holds a NUL byte"};
  }
  if (scheme == PasswordScheme::argon2id) return hash_with_argon2(password);
  if (password.size() > bcrypt_password_max) {
    return {{},
            "bcrypt looks at 72 bytes of a password only, and this one is longer: use argon2id"};
  }
  const std::string random = net::random_bytes(16);
  std::array<char, CRYPT_GENSALT_OUTPUT_SIZE> setting{};
  const char* const made =
      ::crypt_gensalt_rn("$2y$", bcrypt_rounds, random.data(), static_cast<int>(random.size()),
                         setting.data(), static_cast<int>(setting.size()));
  const auto data = std::make_unique<crypt_data>();
  const char* const hash =
      made == nullptr ? nullptr
                      : ::crypt_r(std::string(password).c_str(), setting.data(), data.get());
  if (hash == nullptr || hash[0] == '*') return {{}, "libcrypt does not know bcrypt"};
  return {hash, {}};
}

bool verify_password(std::string_view password, const std::string& hash) {
  if (password.find('\0') != std::string_view::npos) return false;
  if (hash.starts_with(argon2_prefix)) {
    return ::argon2id_verify(hash.c_str(), password.data(), password.size()) == ARGON2_OK;
  }
  if (password.size() > bcrypt_password_max) password = password.substr(0, bcrypt_password_max);
  const auto data = std::make_unique<crypt_data>();
  const char* const found = ::crypt_r(std::string(password).c_str(), hash.c_str(), data.get());
  return found != nullptr && found[0] != '*' && equal_in_constant_time(found, hash);
}

std::string decoy_hash(const std::string& hash) {
  std::string decoy = hash;
  // Another last character of the digest, of an alphabet that both kinds have.
  if (!decoy.empty()) decoy.back() = decoy.back() == 'O' ? 'u' : 'O';
  return decoy;
}

}  // namespace portero::proxy
