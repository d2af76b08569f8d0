// What ACME keeps on disk, under <storage>/acme: accounts, certificates with their keys, and the
// state of each name. Directories 0700, files 0600; every write is atomic; a file that makes no
// sense is set aside as <file>.bad and reported, never fatal.
//
//   accounts/<authority>.json       key, URL, contact; the key is there before the CA hears of it
//   certificates/<name>/
//     certificate.pem               chain and key in one file, so no crash can part them
//     about.json                    which authority, by which challenge, when
//     state.json                    attempts, last error, when to try next
//     order.json                    an order under way: its URL and the key it is for
//     lock                          held (flock) by whoever orders for the name, on any host
//
// Thread: the ACME threads, each name by one at a time; certificates are read by control too.
// Throws std::system_error naming the path when the disk refuses.
#pragma once

#include <cstdint>
#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "net/certificate_store.hpp"

namespace portero::acme {

struct StoredAccount {
  std::string directory;
  std::string key_pem;
  std::string url;                // "" = the CA has not answered yet
  std::string email;              // that the CA knows
  std::string next_key_pem = {};  // that is to take over; "" = none
};

struct StoredCertificate {
  std::shared_ptr<const net::CertificateData> data;
  std::string issuer;     // "letsencrypt", or the directory
  std::string directory;  // of the authority
  std::string challenge;  // by which it was proven; "" = the proof of an earlier order
  std::time_t obtained = 0;
  std::string why = {};  // it was that challenge, in words
};

// What must outlive a crash, so that a crash loop cannot burn a CA's limits.
struct NameState {
  unsigned failures = 0;  // in a row
  std::time_t next_try = 0;
  // When the limit of an authority (by its directory) ends; not even a restart asks before.
  std::map<std::string, std::time_t> blocked_until;
  std::string last_error;
  std::vector<std::time_t> orders;  // the newest last, a week back
  std::time_t renew_at = 0;         // chosen within the authority's window; 0 = by age
  std::time_t ask_window_at = 0;
};

struct StoredOrder {
  std::string directory;
  std::string url;  // "" = not made yet
  std::string key_pem;
};

class Storage {
 public:
  explicit Storage(const std::string& root);

  std::optional<StoredAccount> load_account(const std::string& directory) const;
  void save_account(const StoredAccount& account) const;
  // Waits until nobody else opens accounts: two processes must not make one each.
  Fd lock_accounts() const;
  // Sets an account aside that the CA does not know any more.
  void drop_account(const std::string& directory) const;

  std::optional<StoredCertificate> load_certificate(const std::string& name) const;
  void save_certificate(const std::string& name, const StoredCertificate& about,
                        const std::string& chain_pem, const std::string& key_pem) const;

  NameState load_state(const std::string& name) const;
  void save_state(const std::string& name, const NameState& state) const;

  std::optional<StoredOrder> load_order(const std::string& name) const;
  void save_order(const std::string& name, const StoredOrder& order) const;
  void drop_order(const std::string& name) const;

  // Nobody else, in this process or another, orders for the name while the Fd is open. Not open
  // when somebody does.
  Fd lock(const std::string& name) const;

  std::string certificate_path(const std::string& name) const;

 private:
  std::string account_path(const std::string& directory) const;
  std::string folder_of(const std::string& name) const;

  std::string root_;
};

}  // namespace portero::acme
