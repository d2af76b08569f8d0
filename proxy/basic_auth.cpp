#include "proxy/basic_auth.hpp"

#include <algorithm>

#include "base/bytes.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"
#include "proxy/password_hash.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t digest_key_bytes = 32;
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
      remembered_ms_(settings.cache.count()),
      digest_key_(net::random_bytes(digest_key_bytes)),
      desk_(desk) {}

Task<Result<bool>> BasicAuthGate::admit(http::Exchange& exchange) {
  const std::optional<Credentials> given = read_credentials(exchange);
  if (!given || given->password.size() > password_bytes_max) {
    co_return co_await challenge(exchange);
  }
  std::string digest =
      net::hmac_sha256_hex(digest_key_, exchange.arena.concat(given->user, ":", given->password));
  Verdict verdict = Verdict::right;
  if (!remembers(digest)) {
    verdict = co_await check(given->user, given->password, std::move(digest));
  }
  if (verdict == Verdict::busy) {
    http::Response response(exchange.arena);
    response.status = 503;
    response.headers.add("Retry-After", "2");
    co_return co_await refuse(exchange, response,
                              "Too many passwords are being checked: please try again.");
  }
  if (verdict == Verdict::wrong) {
    log::warn("auth.refused", log::kv("client_ip", exchange.request.client_ip.to_string()),
              log::kv("user", given->user), log::kv("host", exchange.request.host));
    co_return co_await challenge(exchange);
  }
  exchange.request.user = given->user;
  co_return true;
}

bool BasicAuthGate::remembers(const std::string& digest) const {
  const auto known = remembered_.find(digest);
  return known != remembered_.end() && coarse_clock().monotonic_ms < known->second;
}

// Requests with the same name and password, as a browser sends them side by side, ask once.
Task<BasicAuthGate::Verdict> BasicAuthGate::check(std::string_view user, std::string_view password,
                                                  std::string digest) {
  const auto known = std::find_if(users_.begin(), users_.end(),
                                  [&](const auto& entry) { return entry.first == user; });
  PasswordQuestionPointer& open = open_[digest];
  if (!open) {
    open = std::make_shared<PasswordQuestion>();
    open->password = password;
    open->hash = known == users_.end() ? decoy_ : known->second;
    if (!desk_.ask(open)) {
      open_.erase(digest);
      co_return Verdict::busy;
    }
  }
  const PasswordQuestionPointer question = open;
  WaitPoint answered;
  question->waiting.push_back(&answered);
  while (!question->is_answered) co_await answered;
  open_.erase(digest);
  if (!question->is_right || known == users_.end()) co_return Verdict::wrong;
  if (remembered_ms_ != 0) {
    if (remembered_.size() >= remembered_max) remembered_.clear();
    remembered_[digest] = coarse_clock().monotonic_ms + remembered_ms_;
  }
  co_return Verdict::right;
}

Task<Result<bool>> BasicAuthGate::challenge(http::Exchange& exchange) const {
  http::Response response(exchange.arena);
  response.status = 401;
  response.headers.add("WWW-Authenticate", challenge_);
  co_return co_await refuse(exchange, response, "A name and a password are needed here.");
}

}  // namespace portero::proxy
