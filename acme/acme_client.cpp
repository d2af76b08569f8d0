#include "acme/acme_client.hpp"

#include <cstdio>
#include <cstring>
#include <memory>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "acme/json_members.hpp"
#include "acme/openssl_parts.hpp"
#include "base/bytes.hpp"
#include "base/ip_address.hpp"
#include "base/log.hpp"

namespace json = boost::json;

namespace portero::acme {
namespace {

constexpr std::size_t nonces_max = 64;
constexpr int nonce_tries_max = 12;  // a server that refuses half of them passes once in 4,096

json::object object_of(const HttpResponse& response, std::string_view url) {
  json::object object = parse_object(response.body);
  if (!object.empty()) return object;
  throw AcmeFailure(fmt::format("{} answered something that is not JSON", url));
}

json::value identifier(const std::string& name) {
  return json::object{{"type", IpAddress::parse(name) ? "ip" : "dns"},
                      {"value", json::string(name)}};
}

// The URLs of Link fields with a relation; a field may hold several. Source: RFC 8288 §3.
std::vector<std::string> links(const HttpResponse& response, std::string_view relation) {
  std::vector<std::string> urls;
  const std::string wanted = fmt::format("rel=\"{}\"", relation);
  for (const auto& [name, value] : response.headers) {
    if (!iequals(name, "Link")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const std::size_t begin = rest.find('<');
      const std::size_t end = rest.find('>');
      if (begin == std::string_view::npos || end == std::string_view::npos || end < begin) break;
      const std::string_view url = rest.substr(begin + 1, end - begin - 1);
      rest.remove_prefix(end + 1);
      const std::string_view parameters = rest.substr(0, rest.find('<'));
      if (parameters.find(wanted) != std::string_view::npos) urls.emplace_back(url);
      rest.remove_prefix(parameters.size());
    }
  }
  return urls;
}

// Whether `holds` is true for one of a chain's certificates.
template <class Holds>
bool any_certificate(const std::string& chain_pem, Holds holds) {
  const BioPointer bio(BIO_new_mem_buf(chain_pem.data(), static_cast<int>(chain_pem.size())));
  for (;;) {
    const net::CertificatePointer next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    if (holds(next.get())) return true;
  }
  ERR_clear_error();
  return false;
}

bool has_issuer(const std::string& chain_pem, const std::string& wanted) {
  return any_certificate(chain_pem, [&wanted](X509* one) {
    char name[256] = {};
    X509_NAME_get_text_by_NID(X509_get_issuer_name(one), NID_commonName, name, sizeof name);
    return wanted == name;
  });
}

bool has_expired(const std::string& chain_pem, std::time_t now) {
  return any_certificate(chain_pem, [now](X509* one) {
    std::time_t at = now;
    return X509_cmp_time(X509_get0_notAfter(one), &at) < 0;
  });
}

// "2026-01-02T03:04:05Z" with any offset; 0 when it is no time. Source: RFC 3339.
std::time_t parse_time(const std::string& text) {
  std::tm parts{};
  const char* const rest = ::strptime(text.c_str(), "%Y-%m-%dT%H:%M:%S", &parts);
  if (rest == nullptr) return 0;
  const std::time_t local = ::timegm(&parts);
  const char* at = rest;
  if (*at == '.') at += 1 + std::strspn(at + 1, "0123456789");
  int hours = 0;
  int minutes = 0;
  if (*at == 'Z' || *at == 'z') return local;
  if (std::sscanf(at + (*at == '\0' ? 0 : 1), "%2d:%2d", &hours, &minutes) != 2) return 0;
  const std::time_t offset = hours * 3600 + minutes * 60;
  return *at == '-' ? local + offset : local - offset;
}

std::string der_of(X509* certificate) {
  unsigned char* der = nullptr;
  const int size = i2d_X509(certificate, &der);
  check(size > 0, "write a certificate");
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

}  // namespace

AcmeClient::AcmeClient(std::string directory_url, std::string roots, HttpClient& http,
                       StopSignal& stop, Clock clock)
    : directory_url_(std::move(directory_url)),
      roots_(std::move(roots)),
      http_(http),
      stop_(stop),
      clock_(std::move(clock)) {}

AcmeClient::Directory AcmeClient::directory() {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (directory_) return *directory_;
  }
  HttpRequest request;
  request.url = directory_url_;
  const HttpResponse response = send(std::move(request));
  if (response.status != 200) throw failure_of(response, directory_url_, clock_());
  const json::object object = object_of(response, directory_url_);
  Directory found;
  found.new_nonce = text_member(object, "newNonce");
  found.new_account = text_member(object, "newAccount");
  found.new_order = text_member(object, "newOrder");
  found.revoke = text_member(object, "revokeCert");
  found.key_change = text_member(object, "keyChange");
  found.renewal_info = text_member(object, "renewalInfo");
  if (const json::object* const meta = map_member(object, "meta"); meta != nullptr) {
    found.external_account_required = flag_member(*meta, "externalAccountRequired");
    if (const json::array* const names = list_member(*meta, "caaIdentities"); names != nullptr) {
      for (const json::value& name : *names) {
        if (name.is_string()) found.caa_identities.push_back(to_lower(name.get_string()));
      }
    }
    if (const json::object* const profiles = map_member(*meta, "profiles"); profiles != nullptr) {
      for (const json::key_value_pair& profile : *profiles) {
        found.profiles += (found.profiles.empty() ? "" : ", ") + std::string(profile.key());
      }
    }
  }
  if (found.new_nonce.empty() || found.new_account.empty() || found.new_order.empty()) {
    throw AcmeFailure(directory_url_ + " is no ACME directory; check `directory`");
  }
  const std::lock_guard<std::mutex> lock(mutex_);
  directory_ = found;
  return found;
}

HttpResponse AcmeClient::send(HttpRequest request) {
  request.roots = roots_;
  Explained<HttpResponse> response = http_.send(request);
  if (stop_.flag().load()) throw Stopped{};
  if (!response) throw AcmeFailure("cannot reach the authority: " + response.error());
  keep_nonce(*response);
  return std::move(*response);
}

void AcmeClient::keep_nonce(const HttpResponse& response) {
  const std::string_view fresh = response.header("Replay-Nonce");
  if (fresh.empty()) return;
  const std::lock_guard<std::mutex> lock(mutex_);
  if (nonces_.size() == nonces_max) nonces_.erase(nonces_.begin());
  nonces_.emplace_back(fresh);
}

std::string AcmeClient::nonce() {
  const std::string url = directory().new_nonce;
  for (int tried = 0;; ++tried) {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      if (!nonces_.empty()) {
        std::string newest = std::move(nonces_.back());
        nonces_.pop_back();
        return newest;
      }
    }
    HttpRequest request;
    request.method = "HEAD";
    request.url = url;
    const HttpResponse response = send(std::move(request));
    if (response.header("Replay-Nonce").empty() && tried > 0) {
      throw AcmeFailure(url + " gives no nonce");
    }
  }
}

HttpResponse AcmeClient::post(const AccountKey& key, const std::string& signer,
                              const std::string& url, const std::string& payload) {
  for (int tried = 1;; ++tried) {
    HttpRequest request;
    request.method = "POST";
    request.url = url;
    request.headers = {{"Content-Type", "application/jose+json"}};
    request.body =
        key.sign(fmt::format(R"({},"nonce":"{}","url":"{}")", signer, nonce(), url), payload);
    HttpResponse response = send(std::move(request));
    if (response.status < 400) return response;
    const AcmeFailure failure = failure_of(response, url, clock_());
    // The server's answer to a nonce it does not like has a fresh one. Source: RFC 8555 §6.5.
    if (failure.type != "badNonce" || tried == nonce_tries_max) throw failure;
  }
}

HttpResponse AcmeClient::post(const Account& account, const std::string& url,
                              const std::string& payload) {
  return post(account.key, fmt::format(R"("kid":"{}")", account.url), url, payload);
}

std::string AcmeClient::open_account(const AccountKey& key, const std::string& email,
                                     const std::optional<ExternalAccount>& external) {
  const Directory at = directory();
  if (at.external_account_required && !external) {
    throw AcmeFailure("the authority wants an account of its own: give `eab: {kid, hmac}`",
                      "externalAccountRequired");
  }
  json::object payload{{"termsOfServiceAgreed", true}};
  if (!email.empty()) payload["contact"] = json::array{json::string("mailto:" + email)};
  if (external) {
    payload["externalAccountBinding"] = json::parse(
        external_account_binding(external->key_id, external->hmac_key, at.new_account, key.jwk()));
  }
  const HttpResponse response =
      post(key, R"("jwk":)" + key.jwk(), at.new_account, json::serialize(payload));
  const std::string_view url = response.header("Location");
  if (url.empty()) throw AcmeFailure(at.new_account + " gives no account URL");
  return std::string(url);
}

std::string AcmeClient::find_account(const AccountKey& key) {
  try {
    const HttpResponse response = post(key, R"("jwk":)" + key.jwk(), directory().new_account,
                                       R"({"onlyReturnExisting":true})");
    return std::string(response.header("Location"));
  } catch (const AcmeFailure& failed) {
    if (failed.type == "accountDoesNotExist") return {};
    throw;
  }
}

void AcmeClient::change_key(const Account& account, const AccountKey& next) {
  const std::string url = directory().key_change;
  if (url.empty()) throw AcmeFailure("the authority lets nobody change the key of an account");
  const std::string wish =
      fmt::format(R"({{"account":"{}","oldKey":{}}})", account.url, account.key.jwk());
  post(account, url, next.sign(fmt::format(R"("jwk":{},"url":"{}")", next.jwk(), url), wish));
}

void AcmeClient::change_contact(const Account& account, const std::string& email) {
  json::array contact;
  if (!email.empty()) contact.push_back(json::string("mailto:" + email));
  post(account, account.url, json::serialize(json::object{{"contact", std::move(contact)}}));
}

Order AcmeClient::read_order(const HttpResponse& response, std::string url) const {
  const json::object object = object_of(response, url);
  Order order;
  order.status = text_member(object, "status");
  order.finalize = text_member(object, "finalize");
  order.certificate = text_member(object, "certificate");
  order.error = object_member(object, "error");
  order.retry_after = retry_after_of(response, clock_());
  order.url = std::move(url);
  if (const json::array* const list = list_member(object, "authorizations"); list != nullptr) {
    for (const json::value& entry : *list) {
      if (entry.is_string()) order.authorizations.emplace_back(entry.get_string().c_str());
    }
  }
  return order;
}

Order AcmeClient::new_order(const Account& account, const std::vector<std::string>& names,
                            const std::string& profile, const std::string& replaces) {
  const Directory at = directory();
  json::array identifiers;
  for (const std::string& name : names) identifiers.push_back(identifier(name));
  json::object payload{{"identifiers", std::move(identifiers)}};
  if (!profile.empty()) {
    if (at.profiles.empty()) {
      throw AcmeFailure("the authority has no profiles; remove `profile`", "invalidProfile");
    }
    payload["profile"] = profile;
  }
  // Servers without renewal information may refuse the member. Source: RFC 9773 §5.
  if (!replaces.empty() && !at.renewal_info.empty()) payload["replaces"] = replaces;
  const HttpResponse response = post(account, at.new_order, json::serialize(payload));
  const std::string_view url = response.header("Location");
  if (url.empty()) throw AcmeFailure(at.new_order + " gives no order URL");
  return read_order(response, std::string(url));
}

Order AcmeClient::order(const Account& account, const std::string& url) {
  return read_order(post(account, url, ""), url);
}

Authorization AcmeClient::authorization(const Account& account, const std::string& url) {
  const HttpResponse response = post(account, url, "");
  const json::object object = object_of(response, url);
  Authorization out;
  out.url = url;
  out.status = text_member(object, "status");
  out.retry_after = retry_after_of(response, clock_());
  out.wildcard = flag_member(object, "wildcard");
  const json::object* const named = map_member(object, "identifier");
  if (named != nullptr) out.name = text_member(*named, "value");
  const json::array* const list = list_member(object, "challenges");
  if (list == nullptr) return out;
  for (const json::value& entry : *list) {
    if (!entry.is_object()) continue;
    const json::object& challenge = entry.get_object();
    out.challenges.push_back({text_member(challenge, "type"), text_member(challenge, "url"),
                              text_member(challenge, "token"), text_member(challenge, "status"),
                              object_member(challenge, "error")});
  }
  return out;
}

void AcmeClient::answer_challenge(const Account& account, const Challenge& challenge) {
  post(account, challenge.url, "{}");
}

Order AcmeClient::finalize(const Account& account, const Order& order, const std::string& csr_der) {
  const HttpResponse response =
      post(account, order.finalize, fmt::format(R"({{"csr":"{}"}})", base64url(csr_der)));
  return read_order(response, order.url);
}

std::string AcmeClient::download(const Account& account, const std::string& url,
                                 const std::string& preferred_chain) {
  const HttpResponse usual = post(account, url, "");
  const bool is_preferred = preferred_chain.empty() || has_issuer(usual.body, preferred_chain);
  const bool is_expired = has_expired(usual.body, clock_());
  if (is_preferred && !is_expired) return usual.body;
  if (std::optional<std::string> other = alternate_chain(account, usual, preferred_chain)) {
    return *other;
  }
  if (is_expired) {
    log::error("acme.chain_expired", log::kv("authority", directory_url_),
               log::kv("text",
                       "by this machine's clock every chain that the authority offers has an "
                       "expired certificate; clients will refuse it"));
  }
  return usual.body;
}

// The best of the others: preferred and good, else good.
std::optional<std::string> AcmeClient::alternate_chain(const Account& account,
                                                       const HttpResponse& usual,
                                                       const std::string& preferred_chain) {
  std::optional<std::string> good;
  for (const std::string& url : links(usual, "alternate")) {
    std::string chain = post(account, url, "").body;
    if (has_expired(chain, clock_())) continue;
    if (!preferred_chain.empty() && has_issuer(chain, preferred_chain)) return chain;
    if (!good) good = std::move(chain);
  }
  if (has_expired(usual.body, clock_())) return good;
  return std::nullopt;
}

void AcmeClient::revoke(const Account& account, const net::CertificateData& certificate,
                        int reason) {
  const Directory at = directory();
  if (at.revoke.empty()) throw AcmeFailure("the authority revokes no certificates");
  post(account, at.revoke,
       fmt::format(R"({{"certificate":"{}","reason":{}}})",
                   base64url(der_of(certificate.leaf.get())), reason));
}

std::optional<RenewalWindow> AcmeClient::renewal_window(const std::string& id) {
  const Directory at = directory();
  if (at.renewal_info.empty() || id.empty()) return std::nullopt;
  HttpRequest request;
  request.url = at.renewal_info + "/" + id;
  const HttpResponse response = send(request);
  if (response.status == 404) return std::nullopt;
  if (response.status != 200) throw failure_of(response, request.url, clock_());
  const json::object object = object_of(response, request.url);
  const json::object* const window = map_member(object, "suggestedWindow");
  if (window == nullptr) return std::nullopt;
  RenewalWindow out;
  out.start = parse_time(text_member(*window, "start"));
  out.end = parse_time(text_member(*window, "end"));
  out.explanation = text_member(object, "explanationURL");
  out.ask_again = retry_after_of(response, clock_());
  if (out.start == 0 || out.end <= out.start) return std::nullopt;
  return out;
}

std::string renewal_id(const net::CertificateData& certificate) {
  const X509* const leaf = certificate.leaf.get();
  const ASN1_OCTET_STRING* const authority = X509_get0_authority_key_id(certificate.leaf.get());
  if (authority == nullptr) return {};
  const std::string_view key_id(reinterpret_cast<const char*>(ASN1_STRING_get0_data(authority)),
                                static_cast<std::size_t>(ASN1_STRING_length(authority)));
  const ASN1_INTEGER* const number = X509_get0_serialNumber(leaf);
  std::string serial(reinterpret_cast<const char*>(ASN1_STRING_get0_data(number)),
                     static_cast<std::size_t>(ASN1_STRING_length(number)));
  // The DER content: a leading zero byte when the first bit is set.
  if (!serial.empty() && (static_cast<unsigned char>(serial[0]) & 0x80) != 0) {
    serial.insert(serial.begin(), '\0');
  }
  return base64url(key_id) + "." + base64url(serial);
}

}  // namespace portero::acme
