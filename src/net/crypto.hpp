// Digests, random bytes and base64 for everything that signs, checks or names something. The one
// place outside TLS and certificates that knows OpenSSL.
// Thread: any. Failure: only a broken installation makes these fail, so they assert.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace portero::net {

// Lower-case hex, 64 digits. Source: RFC 2104, FIPS 180-4.
std::string hmac_sha256_hex(std::string_view key, std::string_view text);
// Lower-case hex, 64 digits.
std::string sha256_hex(std::string_view text);
// Lower-case hex, 32 digits; for body_md5 of the Pusher HTTP API, never for security alone.
std::string md5_hex(std::string_view text);
// Base64 of SHA-1, 28 characters; for Sec-WebSocket-Accept. Source: RFC 6455 §4.2.2.
std::string sha1_base64(std::string_view text);

// Standard alphabet with padding. Source: RFC 4648 §4.
std::string base64_encode(std::string_view bytes);
// Nothing when the text is none, or its padding is missing.
std::optional<std::string> base64_decode(std::string_view text);

// Cryptographically strong random bytes.
void fill_random(std::span<char> out);
std::string random_bytes(std::size_t count);
std::uint64_t random_u64();

}  // namespace portero::net
