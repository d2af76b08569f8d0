// The client of one ACME server: signed requests and what they mean. Knows nothing of storage,
// challenges or schedules.
// Thread: the ACME threads; nonces and the directory are shared by them under a lock. Calls block.
// Errors: AcmeFailure; Stopped. Source: RFC 8555, RFC 9773 (renewal information).
#pragma once

#include <ctime>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "acme/http_client.hpp"
#include "acme/jws.hpp"
#include "acme/problem.hpp"
#include "acme/stop_signal.hpp"

namespace portero::acme {

struct Account {
  AccountKey key;
  std::string url;
};

struct ExternalAccount {
  std::string key_id;
  std::string hmac_key;  // base64url
};

struct Order {
  std::string url;
  std::string status;  // pending, ready, processing, valid, invalid
  std::vector<std::string> authorizations;
  std::string finalize;
  std::string certificate;
  std::string error;  // JSON; "" = none
  std::chrono::seconds retry_after{};
};

struct Challenge {
  std::string type;
  std::string url;
  std::string token;
  std::string status;
  std::string error;  // JSON
};

struct Authorization {
  std::string url;
  std::string name;
  std::string status;  // pending, valid, invalid, …
  bool wildcard = false;
  std::vector<Challenge> challenges;
  std::chrono::seconds retry_after{};
};

// What the server would like: a renewal between the two times. Source: RFC 9773 §4.2.
struct RenewalWindow {
  std::time_t start = 0;
  std::time_t end = 0;
  std::string explanation;
  std::chrono::seconds ask_again{};
};

class AcmeClient {
 public:
  using Clock = std::function<std::time_t()>;

  // `roots`: PEM file of the roots that vouch for the server; "" = the system's.
  AcmeClient(std::string directory_url, std::string roots, HttpClient& http, StopSignal& stop,
             Clock clock);

  const std::string& directory_url() const noexcept { return directory_url_; }

  // The account of this key: a new one, or the one that the server has for it. Returns its URL.
  std::string open_account(const AccountKey& key, const std::string& email,
                           const std::optional<ExternalAccount>& external);
  // "" when the server has no account of this key.
  std::string find_account(const AccountKey& key);
  void change_contact(const Account& account, const std::string& email);
  // The account is `next`'s from then on. Source: RFC 8555 §7.3.5.
  void change_key(const Account& account, const AccountKey& next);

  // The names by which CAA records may allow this authority; empty when it does not say.
  std::vector<std::string> caa_identities() { return directory().caa_identities; }

  // `profile` and `replaces` (the renewal id of the certificate that is replaced) may be "".
  Order new_order(const Account& account, const std::vector<std::string>& names,
                  const std::string& profile, const std::string& replaces);
  Order order(const Account& account, const std::string& url);
  Authorization authorization(const Account& account, const std::string& url);
  void answer_challenge(const Account& account, const Challenge& challenge);
  Order finalize(const Account& account, const Order& order, const std::string& csr_der);
  // The chain as PEM, leaf first; that with an issuer named `preferred_chain` when there is one,
  // and one without expired certificates when there is one.
  std::string download(const Account& account, const std::string& url,
                       const std::string& preferred_chain);
  // `reason` is a CRLReason. Source: RFC 8555 §7.6, RFC 5280 §5.3.1.
  void revoke(const Account& account, const net::CertificateData& certificate, int reason);

  // nullopt when the server has no such service or does not know the certificate.
  std::optional<RenewalWindow> renewal_window(const std::string& renewal_id);

 private:
  struct Directory {
    std::string new_nonce;
    std::string new_account;
    std::string new_order;
    std::string revoke;
    std::string key_change;
    std::string renewal_info;
    std::vector<std::string> caa_identities;
    std::string profiles;  // names, separated by ", "; "" = the server has none
    bool external_account_required = false;
  };

  Directory directory();
  std::string nonce();
  void keep_nonce(const HttpResponse& response);
  HttpResponse send(HttpRequest request);
  // `signer` is "kid" or "jwk" with its value, as JSON members.
  HttpResponse post(const AccountKey& key, const std::string& signer, const std::string& url,
                    const std::string& payload);
  HttpResponse post(const Account& account, const std::string& url, const std::string& payload);
  std::optional<std::string> alternate_chain(const Account& account, const HttpResponse& usual,
                                             const std::string& preferred_chain);
  Order read_order(const HttpResponse& response, std::string url) const;

  std::string directory_url_;
  std::string roots_;
  HttpClient& http_;
  StopSignal& stop_;
  Clock clock_;
  std::mutex mutex_;
  std::optional<Directory> directory_;
  std::vector<std::string> nonces_;
};

// The id by which renewal information knows a certificate. "" when the certificate has no authority
// key identifier. Source: RFC 9773 §4.1.
std::string renewal_id(const net::CertificateData& certificate);

}  // namespace portero::acme
