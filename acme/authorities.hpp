// The authorities that are in use: a client and an account for each.
// Thread: the ACME threads; blocks. Owner: the ACME service. Errors: AcmeFailure, Stopped,
// std::system_error of the storage.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "acme/acme_client.hpp"
#include "acme/storage.hpp"
#include "conf/config_acme.hpp"

namespace portero::acme {

class Authorities {
 public:
  Authorities(const Storage& storage, HttpClient& http, StopSignal& stop, AcmeClient::Clock clock)
      : storage_(storage), http_(http), stop_(stop), clock_(std::move(clock)) {}

  AcmeClient& client_of(const conf::Issuer& issuer, const std::string& directory);
  Account account_of(AcmeClient& client, const conf::Issuer& issuer, const std::string& email);
  // Gives the accounts at these authorities, and at their staging directories, new keys; what fails
  // is told in the log and stays as it was. No order may be under way.
  void change_keys(const std::vector<conf::Issuer>& issuers);

 private:
  void change_key(const conf::Issuer& issuer, const std::string& directory);
  void finish_change(AcmeClient& client, StoredAccount& stored) const;
  std::optional<ExternalAccount> external_account(const conf::Issuer& issuer,
                                                  const std::string& email);

  const Storage& storage_;
  HttpClient& http_;
  StopSignal& stop_;
  const AcmeClient::Clock clock_;
  std::mutex mutex_;
  std::map<std::string, std::unique_ptr<AcmeClient>> clients_;  // by directory and roots
};

}  // namespace portero::acme
