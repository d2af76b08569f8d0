#include "acme/preflight.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/format.h>

#include "acme/openssl_parts.hpp"
#include "acme/problem.hpp"
#include "acme/tls_probe.hpp"
#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "net/crypto.hpp"

namespace portero::acme {
namespace {

constexpr std::uint16_t http_port = 80;  // what authorities ask, whatever this server listens on
constexpr std::uint16_t https_port = 443;
constexpr std::chrono::milliseconds probe_wait{3'000};
constexpr std::size_t addresses_max = 4;  // that are probed

bool is_private(const IpAddress& address) {
  static constexpr std::array<const char*, 9> networks{
      "10.0.0.0/8",  "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "169.254.0.0/16",
      "127.0.0.0/8", "::1/128",       "fc00::/7",       "fe80::/10"};
  return std::any_of(networks.begin(), networks.end(), [&address](const char* network) {
    return IpNetwork::parse(network)->contains(address);
  });
}

void add_sentence(std::string& text, const std::string& sentence) {
  text += (text.empty() ? "" : "; ") + sentence;
}

class Preflight {
 public:
  Preflight(const PreflightTools& tools, const PreflightPlan& plan) : tools_(tools), plan_(plan) {}

  Outlook run() {
    const std::string why_unreachable = find_addresses();
    bool told = false;
    for (const std::string& challenge : plan_.challenges) {
      std::string obstacle;
      if (challenge != "dns-01") {
        obstacle = why_unreachable.empty() ? probe(challenge) : why_unreachable;
      }
      if (obstacle.empty()) {
        outlook_.challenges.push_back(challenge);
      } else if (why_unreachable.empty() || !std::exchange(told, true)) {
        add_sentence(outlook_.obstacles, obstacle);
      }
    }
    return std::move(outlook_);
  }

 private:
  // Returns why no authority can reach the name; "" when one may.
  std::string find_addresses() {
    if (const std::optional<IpAddress> address = IpAddress::parse(plan_.name)) {
      addresses_ = {*address};
    } else {
      try {
        for (const std::string& text : tools_.dns.addresses(plan_.name)) {
          if (const auto one = IpAddress::parse(text)) addresses_.push_back(*one);
        }
      } catch (const AcmeFailure& unknown) {
        add_sentence(outlook_.doubts, unknown.what());
        return {};
      }
      if (addresses_.empty()) {
        return fmt::format(
            "{} has no A and no AAAA record: add one with this server's public "
            "address",
            plan_.name);
      }
    }
    const bool all_private = std::all_of(addresses_.begin(), addresses_.end(), is_private);
    if (all_private && plan_.only_public) {
      return fmt::format(
          "{} points to {}, which no public authority can reach: let it point to "
          "this server's public address, or prove it by `dns`",
          plan_.name, addresses_.front().to_string());
    }
    if (addresses_.size() > addresses_max) addresses_.resize(addresses_max);
    return {};
  }

  // Returns why the challenge must fail; "" when it may succeed.
  std::string probe(const std::string& challenge) {
    const bool is_http = challenge == "http-01";
    const AccountKey key = AccountKey::generate();
    const std::string token = fmt::format("preflight-{:016x}", net::random_u64());
    const ChallengeBoard::Posted posted(tools_.board, challenge, plan_.name, token, key);
    const std::string expected = key_authorization(token, key);
    bool any_ours = false;
    std::string foreign;
    std::string silent;
    for (const IpAddress& address : addresses_) {
      const ProbeResult result =
          is_http ? probe_http(address, token, expected)
                  : probe_tls_alpn(address, https_port, challenge_server_name(plan_.name),
                                   sha256(expected));
      any_ours = any_ours || result == ProbeResult::ours;
      std::string& list = result == ProbeResult::foreign ? foreign : silent;
      if (result != ProbeResult::ours) list += (list.empty() ? "" : ", ") + address.to_string();
    }
    const std::uint16_t port = is_http ? http_port : https_port;
    if (!silent.empty()) {
      add_sentence(outlook_.doubts,
                   fmt::format("from this machine, {} does not answer on port {}", silent, port));
    }
    if (foreign.empty()) return {};
    const std::string text = fmt::format(
        "{}: {} is answered by another server on port {}: let the records of {} point here, or "
        "let what stands in between pass {} on",
        challenge, foreign, port, plan_.name,
        is_http ? "/.well-known/acme-challenge/" : "TLS connections");
    if (!any_ours && !plan_.trust_others) return text;
    add_sentence(outlook_.doubts, text);
    return {};
  }

  ProbeResult probe_http(const IpAddress& address, const std::string& token,
                         const std::string& expected) {
    HttpRequest request;
    request.url = fmt::format("http://{}/.well-known/acme-challenge/{}", host(), token);
    request.timeout = probe_wait;
    request.is_probe = true;
    request.address = address.to_string();
    const Explained<HttpResponse> response = tools_.http.send(request);
    if (!response) return ProbeResult::unreachable;
    return trim_ows(response->body) == expected ? ProbeResult::ours : ProbeResult::foreign;
  }

  std::string host() const {
    const bool is_v6 = plan_.name.find(':') != std::string::npos;
    return is_v6 ? "[" + plan_.name + "]" : plan_.name;
  }

  const PreflightTools& tools_;
  const PreflightPlan& plan_;
  std::vector<IpAddress> addresses_;
  Outlook outlook_;
};

// The authority that a value names, without its parameters. Source: RFC 8659 §4.2.
std::string authority_of(const std::string& value) {
  return to_lower(trim_ows(std::string_view(value).substr(0, value.find(';'))));
}

}  // namespace

Outlook look_ahead(const PreflightTools& tools, const PreflightPlan& plan) {
  return Preflight(tools, plan).run();
}

bool caa_allows(const std::vector<CaaRecord>& records, bool wildcard,
                const std::vector<std::string>& identities) {
  const auto has_tag = [&records](std::string_view tag) {
    return std::any_of(records.begin(), records.end(),
                       [tag](const CaaRecord& record) { return record.tag == tag; });
  };
  const std::string_view tag = wildcard && has_tag("issuewild") ? "issuewild" : "issue";
  if (!has_tag(tag)) return true;
  return std::any_of(records.begin(), records.end(), [&](const CaaRecord& record) {
    return record.tag == tag && std::find(identities.begin(), identities.end(),
                                          authority_of(record.value)) != identities.end();
  });
}

void check_caa(const DnsClient& dns, const std::string& name,
               const std::vector<std::string>& identities) {
  if (identities.empty() || IpAddress::parse(name)) return;
  const bool wildcard = name.starts_with("*.");
  std::vector<CaaRecord> records;
  try {
    records = dns.authorities(wildcard ? name.substr(2) : name);
  } catch (const AcmeFailure&) {
    return;  // the authority has its own resolver, and says so if it fails there, too
  }
  if (caa_allows(records, wildcard, identities)) return;
  std::string allowed;
  for (const CaaRecord& record : records) {
    if (!record.tag.starts_with("issue")) continue;
    allowed += fmt::format("{}{} \"{}\"", allowed.empty() ? "" : ", ", record.tag, record.value);
  }
  throw AcmeFailure(
      fmt::format("preflight: the CAA records of {} do not allow this authority "
                  "(they are: {}): add `0 {} \"{}\"`",
                  name, allowed, wildcard ? "issuewild" : "issue", identities.front()),
      "caa");
}

}  // namespace portero::acme
