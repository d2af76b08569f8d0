#include "acme/authorities.hpp"

#include <fmt/format.h>

#include "acme/json_members.hpp"
#include "base/log.hpp"

namespace portero::acme {

AcmeClient& Authorities::client_of(const conf::Issuer& issuer, const std::string& directory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<AcmeClient>& client = clients_[directory + "\n" + issuer.roots];
  if (client == nullptr) {
    client = std::make_unique<AcmeClient>(directory, issuer.roots, http_, stop_, clock_);
  }
  return *client;
}

// One account per authority. Its key is on disk before the authority hears of it, so a crash leaves
// no account that nobody can use.
Account Authorities::account_of(AcmeClient& client, const conf::Issuer& issuer,
                                const std::string& email) {
  const std::string& directory = client.directory_url();
  const Fd lock = storage_.lock_accounts();
  std::optional<StoredAccount> stored = storage_.load_account(directory);
  if (!stored) {
    stored = StoredAccount{directory, AccountKey::generate().pem(), "", ""};
    storage_.save_account(*stored);
  }
  if (!stored->next_key_pem.empty()) finish_change(client, *stored);
  AccountKey key = AccountKey::from_pem(stored->key_pem);
  if (stored->url.empty()) {
    stored->url = client.open_account(key, email, external_account(issuer, email));
    stored->email = email;
    storage_.save_account(*stored);
    log::info("acme.account_opened", log::kv("issuer", issuer.name), log::kv("url", stored->url));
  }
  Account account{std::move(key), stored->url};
  if (stored->email != email) {
    client.change_contact(account, email);
    stored->email = email;
    storage_.save_account(*stored);
  }
  return account;
}

// A change of the key may have been cut off: whoever the authority knows by the new one has it.
void Authorities::finish_change(AcmeClient& client, StoredAccount& stored) const {
  const std::string url = client.find_account(AccountKey::from_pem(stored.next_key_pem));
  if (!url.empty()) {
    stored.key_pem = stored.next_key_pem;
    stored.url = url;
  }
  stored.next_key_pem.clear();
  storage_.save_account(stored);
}

void Authorities::change_keys(const std::vector<conf::Issuer>& issuers) {
  for (const conf::Issuer& issuer : issuers) {
    for (const std::string& directory : {issuer.directory, issuer.staging}) {
      if (directory.empty()) continue;
      try {
        change_key(issuer, directory);
      } catch (const AcmeFailure& failed) {
        log::error("acme.account_key_kept", log::kv("directory", directory),
                   log::kv("error", failed.what()));
      }
    }
  }
}

// The new key is on disk before the authority hears of it, as in account_of().
void Authorities::change_key(const conf::Issuer& issuer, const std::string& directory) {
  const Fd lock = storage_.lock_accounts();
  std::optional<StoredAccount> stored = storage_.load_account(directory);
  if (!stored || stored->url.empty()) return;
  AcmeClient& client = client_of(issuer, directory);
  if (!stored->next_key_pem.empty()) finish_change(client, *stored);
  const AccountKey next = AccountKey::generate();
  stored->next_key_pem = next.pem();
  storage_.save_account(*stored);
  client.change_key({AccountKey::from_pem(stored->key_pem), stored->url}, next);
  stored->key_pem = std::exchange(stored->next_key_pem, "");
  storage_.save_account(*stored);
  log::info("acme.account_key_changed", log::kv("directory", directory),
            log::kv("url", stored->url));
}

std::optional<ExternalAccount> Authorities::external_account(const conf::Issuer& issuer,
                                                             const std::string& email) {
  if (!issuer.eab_kid.empty()) return ExternalAccount{issuer.eab_kid, issuer.eab_hmac};
  if (issuer.eab_url.empty() || email.empty()) return std::nullopt;
  HttpRequest request;
  request.method = "POST";
  request.url = issuer.eab_url;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  for (const char c : email) request.body += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  request.body.insert(0, "email=");
  const Explained<HttpResponse> response = http_.send(request);
  if (!response) throw AcmeFailure("cannot reach the authority: " + response.error());
  const boost::json::object object = parse_object(response->body);
  ExternalAccount account{text_member(object, "eab_kid"), text_member(object, "eab_hmac_key")};
  if (account.key_id.empty() || account.hmac_key.empty()) {
    throw AcmeFailure(
        fmt::format("{} gives no external account for this address of mail; make one on its site "
                    "and give `eab: {{kid, hmac}}`",
                    issuer.name));
  }
  return account;
}

}  // namespace portero::acme
