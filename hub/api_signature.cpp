#include "hub/api_signature.hpp"

#include <array>
#include <cstdlib>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "net/crypto.hpp"

namespace portero::hub {
namespace {

constexpr std::size_t quoted_bytes_max = 400;

// What a client sent, for a message: bounded.
std::string_view shorten(std::string_view text) noexcept {
  return text.substr(0, quoted_bytes_max);
}

std::string text_to_sign(const SignedRequest& request, std::string_view path) {
  std::size_t size = request.method.size() + path.size() + 2;
  for (const auto& [name, value] : request.query.all()) size += name.size() + value.size() + 2;
  std::string text;
  text.reserve(size);
  text.append(request.method).append(1, '\n').append(path).append(1, '\n');
  bool first = true;
  for (const auto& [name, value] : request.query.all()) {
    if (name == "auth_signature") continue;
    if (!first) text += '&';
    first = false;
    text.append(name).append(1, '=').append(value);
  }
  return text;
}

bool is_signed_with(const App& app, std::string_view text, std::string_view signature) {
  return equal_constant_time(net::hmac_sha256_hex(app.secret, text), signature);
}

std::string key_fault(const App& app, const ApiQuery& query) {
  const auto key = query.find("auth_key");
  if (!key) {
    return "auth_key is missing: requests must be signed as the Pusher HTTP API asks, with "
           "auth_key, "
           "auth_timestamp, auth_version, body_md5 and auth_signature in the query";
  }
  if (*key == app.key) return {};
  return fmt::format("auth_key \"{}\" is not the key of app {}: compare REVERB_APP_KEY",
                     shorten(*key), app.id);
}

std::string version_fault(const ApiQuery& query) {
  const auto version = query.find("auth_version");
  if (!version || *version == "1.0") return {};
  return fmt::format("auth_version \"{}\" is not known: only 1.0 is", shorten(*version));
}

std::string timestamp_fault(const ApiQuery& query, std::int64_t now_unix_ms) {
  const auto text = query.find("auth_timestamp");
  if (!text) return "auth_timestamp is missing: it must be the time of the request in seconds";
  const auto seconds = parse_decimal(*text);
  if (!seconds) {
    return fmt::format("auth_timestamp \"{}\" is not a number of seconds", shorten(*text));
  }
  const std::int64_t ahead = static_cast<std::int64_t>(*seconds) - now_unix_ms / 1000;
  if (std::abs(ahead) <= auth_timestamp_seconds_max) return {};
  return fmt::format(
      "auth_timestamp is {} s {} the clock of this server, {} are allowed: set both clocks by NTP",
      std::abs(ahead), ahead < 0 ? "behind" : "ahead of", auth_timestamp_seconds_max);
}

std::string signature_fault(const App& app, const SignedRequest& request) {
  const std::string_view signature = request.query.value("auth_signature");
  if (signature.empty()) {
    return "auth_signature is missing: it must be the HMAC-SHA256 of the request in hex";
  }
  const std::string text = text_to_sign(request, request.path);
  if (is_signed_with(app, text, signature)) return {};

  for (std::string_view path : std::array{request.whole_path, request.decoded_path}) {
    if (path.empty() || path == request.path) continue;
    if (is_signed_with(app, text_to_sign(request, path), signature)) return {};
  }
  return fmt::format(
      "auth_signature is wrong: compare REVERB_APP_SECRET; the text to sign is \"{}\"",
      shorten(text));
}

}  // namespace

std::string find_signature_fault(const App& app, const SignedRequest& request,
                                 std::int64_t now_unix_ms) {
  std::string fault = key_fault(app, request.query);
  if (fault.empty()) fault = version_fault(request.query);
  if (fault.empty()) fault = timestamp_fault(request.query, now_unix_ms);
  if (fault.empty()) fault = signature_fault(app, request);
  return fault;
}

std::string find_body_fault(const ApiQuery& query, std::string_view body) {
  const auto given = query.find("body_md5");
  if (!given) {
    if (body.empty()) return {};
    return "body_md5 is missing: a request with a body must carry the MD5 of it, in hex";
  }
  if (equal_constant_time(net::md5_hex(body), *given)) return {};
  return "body_md5 is not the MD5 of the body that arrived: it was changed on the way, or another "
         "text was signed than was sent";
}

}  // namespace portero::hub
