#include "proxy/basic_auth.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"
#include "proxy/password_hash.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t password_bytes_max = 1'024;

struct Credentials {
  std::string_view user;
  std::string_view password;
};

// Source: RFC 7617 §2.
std::optional<Credentials> read_credentials(http::Exchange& exchange) {
  const http::Field* const field = exchange.request.headers.find("Authorization");
  if (field == nullptr) return std::nullopt;
  constexpr std::string_view scheme = "basic ";
  std::string_view value = field->value;
  if (value.size() < scheme.size() || !iequals(value.substr(0, scheme.size()), scheme)) {
    return std::nullopt;
  }
  value.remove_prefix(scheme.size());
  while (value.starts_with(' ')) value.remove_prefix(1);
  const std::optional<std::string> decoded = net::base64_decode(value);
  if (!decoded) return std::nullopt;
  const std::string_view text = exchange.arena.copy(*decoded);
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return std::nullopt;
  return Credentials{text.substr(0, colon), text.substr(colon + 1)};
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

}  // namespace

BasicAuthGate::BasicAuthGate(const conf::BasicAuth& settings, PasswordDesk& desk)
    : users_(settings.users),
      decoy_(users_.empty() ? std::string() : decoy_hash(users_.front().second)),
      challenge_("Basic realm=" + quoted(settings.realm) + ", charset=\"UTF-8\""),
      remember_max_(settings.cache),
      desk_(desk) {}

Task<Result<bool>> BasicAuthGate::admit(http::Exchange& exchange) {
  const std::optional<Credentials> given = read_credentials(exchange);
  if (!given || given->password.size() > password_bytes_max) {
    co_return co_await challenge(exchange);
  }
  const PasswordVerdict verdict = co_await check(given->user, given->password);
  if (verdict == PasswordVerdict::busy) {
    http::Response response(exchange.arena);
    response.status = 503;
    response.headers.add("Retry-After", "2");
    co_return co_await refuse(exchange, response,
                              "Too many passwords are being checked: please try again.");
  }
  if (verdict == PasswordVerdict::wrong) {
    log::warn("auth.refused", log::kv("client_ip", exchange.request.client_ip.to_string()),
              log::kv("user", given->user), log::kv("host", exchange.request.host));
    co_return co_await challenge(exchange);
  }
  exchange.request.user = given->user;
  co_return true;
}

// A name that is not there takes as long as one that is.
Task<PasswordVerdict> BasicAuthGate::check(std::string_view user, std::string_view password) const {
  const auto known = std::find_if(users_.begin(), users_.end(),
                                  [&](const auto& entry) { return entry.first == user; });
  const bool is_known = known != users_.end();
  const PasswordVerdict verdict = co_await desk_.check(password, is_known ? known->second : decoy_,
                                                       is_known ? remember_max_ : Milliseconds{0});
  co_return is_known || verdict == PasswordVerdict::busy ? verdict : PasswordVerdict::wrong;
}

Task<Result<bool>> BasicAuthGate::challenge(http::Exchange& exchange) const {
  http::Response response(exchange.arena);
  response.status = 401;
  response.headers.add("WWW-Authenticate", challenge_);
  co_return co_await refuse(exchange, response, "A name and a password are needed here.");
}

}  // namespace portero::proxy
