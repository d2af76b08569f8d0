#include "acme/problem.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include <boost/json.hpp>
#include <curl/curl.h>
#include <fmt/format.h>

#include "acme/json_members.hpp"

namespace json = boost::json;

namespace portero::acme {
namespace {

struct Advice {
  std::string_view type;
  std::string_view text;
  bool validation = false;
};

constexpr std::array<Advice, 25> advices{{
    {"accountDoesNotExist", "the authority no longer knows the account; a new one is made"},
    {"alreadyReplaced", "the certificate has been renewed elsewhere already"},
    {"alreadyRevoked", "the certificate has been revoked already"},
    {"badCSR", "the authority does not accept the request's names or key"},
    {"badNonce", "the authority refused every nonce; it may be overloaded"},
    {"badPublicKey", "the authority does not accept the account's key"},
    {"badRevocationReason", "the authority does not accept the reason"},
    {"badSignatureAlgorithm", "the authority does not take ES256"},
    {"caa",
     "a CAA record of the domain forbids this authority; add one that names it, or remove it",
     true},
    {"compound", "several things are wrong"},
    {"connection",
     "the authority could not connect to this server: open ports 80 and 443 in every firewall, and "
     "let the name's A and AAAA records point here",
     true},
    {"dns", "the authority could not look the name up: check its DNS records and DNSSEC", true},
    {"externalAccountRequired",
     "this authority wants `eab: {kid, hmac}` of an account made on its site"},
    {"incorrectResponse",
     "something else answered the authority: another server or a CDN has the name's address", true},
    {"invalidContact", "the authority does not accept the address in `email`"},
    {"invalidProfile", "the authority has no such `profile`"},
    {"malformed", "the authority did not understand the request"},
    {"orderNotReady", "the order was not ready"},
    {"rateLimited", "the authority's limit is reached"},
    {"rejectedIdentifier", "the authority issues no certificate for this name"},
    {"serverInternal", "the authority has a fault of its own"},
    {"tls", "the authority could not make a TLS connection to this server", true},
    {"unauthorized",
     "the authority got another answer than this server's: check that the name's A and AAAA "
     "records "
     "point here and nothing stands in between",
     true},
    {"unsupportedIdentifier", "the authority does not certify this kind of name"},
    {"userActionRequired", "the authority wants its terms accepted on its site"},
}};

const Advice* advice_for(std::string_view type) {
  const auto found = std::find_if(advices.begin(), advices.end(),
                                  [type](const Advice& advice) { return advice.type == type; });
  return found == advices.end() ? nullptr : &*found;
}

// "urn:ietf:params:acme:error:caa" -> "caa"
std::string short_type(const json::object& problem) {
  const std::string type = text_member(problem, "type");
  const std::size_t colon = type.rfind(':');
  return colon == std::string::npos ? type : type.substr(colon + 1);
}

std::string describe(const json::object& problem) {
  const std::string type = short_type(problem);
  std::string text = text_member(problem, "detail");
  if (text.empty()) text = type.empty() ? "no reason given" : type;
  if (const Advice* const advice = advice_for(type); advice != nullptr)
    text += fmt::format(" ({})", advice->text);
  const json::array* const parts = list_member(problem, "subproblems");
  if (parts == nullptr) return text;
  for (const json::value& part : *parts) {
    if (!part.is_object()) continue;
    const json::object& object = part.get_object();
    const json::object* const identifier = map_member(object, "identifier");
    const std::string name =
        identifier != nullptr ? text_member(*identifier, "value") + ": " : std::string();
    text += "; " + name + text_member(object, "detail");
  }
  return text;
}

}  // namespace

bool AcmeFailure::is_validation() const noexcept {
  const Advice* const advice = advice_for(type);
  return advice != nullptr && advice->validation;
}

AcmeFailure failure_of(const HttpResponse& response, std::string_view url, std::time_t now) {
  const json::object problem = parse_object(response.body);
  const std::chrono::seconds wait = retry_after_of(response, now);
  if (problem.empty()) {
    return AcmeFailure(fmt::format("{} answered {}", url, response.status), "", wait);
  }
  return AcmeFailure(describe(problem), short_type(problem), wait);
}

AcmeFailure failure_of_error(std::string_view problem_json, std::string_view what) {
  const json::object problem = parse_object(problem_json);
  return AcmeFailure(fmt::format("{}: {}", what, describe(problem)), short_type(problem));
}

std::chrono::seconds retry_after_of(const HttpResponse& response, std::time_t now) {
  const std::string_view text = response.header("Retry-After");
  if (text.empty()) return {};
  std::int64_t seconds = 0;
  const auto [end, ec] = std::from_chars(text.data(), text.data() + text.size(), seconds);
  if (ec != std::errc() || end != text.data() + text.size()) {
    seconds = curl_getdate(std::string(text).c_str(), nullptr) - now;
  }
  constexpr std::int64_t longest = 30L * 24 * 3600;
  return std::chrono::seconds(std::clamp<std::int64_t>(seconds, 0, longest));
}

}  // namespace portero::acme
