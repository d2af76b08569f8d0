// Hashes of passwords: bcrypt ($2a$, $2b$, $2y$) and argon2id. Slow by intent.
// Thread: any; never a worker. Cost: some 50 to 500 ms, argon2id as much memory as the hash says.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace portero::proxy {

enum class PasswordScheme : std::uint8_t { bcrypt, argon2id };

struct PasswordHash {
  std::string text;
  std::string error;  // "" = none; a sentence for people
};

// Makes a hash with a random salt. Errors: a password that is empty, has a NUL, or that bcrypt
// would cut at 72 bytes.
PasswordHash hash_password(std::string_view password, PasswordScheme scheme);

// Whether `password` has that hash; compared in constant time. A hash that is none has no password.
bool verify_password(std::string_view password, const std::string& hash);

// A hash of the same kind and cost as `hash` that no password has: compared with for names that do
// not exist, so that these cannot be told by the clock.
std::string decoy_hash(const std::string& hash);

}  // namespace portero::proxy
