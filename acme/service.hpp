// Keeps certificates of public authorities: obtains what the sites want, renews it in time, and
// says how each stands. Orders run side by side on threads of its own, which block on the network
// and the disk; nothing here runs on a worker. Thread: set_wanted(), certificate(), describe(),
// renew() control; hooks are called on the ACME threads. Owner: the server. The destructor ends
// requests under way and joins the threads.
#pragma once

#include <condition_variable>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "acme/challenge_board.hpp"
#include "acme/curl_client.hpp"
#include "acme/orderer.hpp"
#include "acme/stop_signal.hpp"
#include "acme/storage.hpp"
#include "conf/config_acme.hpp"

namespace portero::acme {

// How a name stands, for `portero certs`.
struct Standing {
  std::string name;
  std::string issuer;     // of the certificate in use; "" = none yet
  std::string challenge;  // that proved it
  std::string why;        // it was that one
  std::time_t not_after = 0;
  std::time_t renew_at = 0;
  std::time_t next_try = 0;  // after a failure; 0 = none
  unsigned failures = 0;
  std::string last_error;
  bool in_progress = false;
};

// What a name that is wanted now can hope for: a certificate is there, will be soon, or has failed
// and is tried again later.
enum class Prospect : std::uint8_t { ready, coming, failed };

class Service {
 public:
  static constexpr std::size_t threads_max = 16;  // orders side by side

  struct Hooks {
    ChallengeBoard::Publish publish;
    std::function<void()> changed;  // a certificate is new
    std::function<std::time_t()> clock;
    OnEvent on_event;
  };

  // Throws std::system_error when the storage cannot be used.
  Service(const std::string& storage, Hooks hooks);
  ~Service();
  Service(const Service&) = delete;
  Service& operator=(const Service&) = delete;

  // Ends what is under way, without waiting for it: the destructor does.
  void stop();
  // Replaces what is wanted. Certificates in the storage are there at once, also expired ones. No
  // order begins until release(): the listeners that authorities will ask may not be open yet.
  void set_wanted(const std::vector<Wanted>& wanted);
  void release();
  // Wants one name more, at once.
  Prospect want(const Wanted& wanted);
  // nullptr when there is none yet.
  std::shared_ptr<const net::CertificateData> certificate(const std::string& name) const;
  std::vector<Standing> describe() const;
  // Renews now, whatever the schedule says; Revoke::yes has the certificate in use revoked first,
  // as when its key is known to others. Returns false when the name is not wanted, or when there is
  // nothing to revoke.
  enum class Revoke : bool { no, yes };
  bool renew(const std::string& name, Revoke revoke = Revoke::no);
  // Gives every account a new key as soon as no order is under way; the log says how that ended.
  void change_account_keys();

 private:
  struct Entry {
    Wanted wanted;
    std::optional<StoredCertificate> stored;
    NameState state;
    std::time_t due = 0;
    bool in_progress = false;
    bool forced = false;  // by renew()
    bool revoke = false;
    bool gone = false;  // no longer wanted; dropped when its order has ended
  };
  void load(Entry& entry, const Wanted& want) const;
  void run_thread();
  Entry* next_due(std::unique_lock<std::mutex>& lock);
  void change_keys_if_wanted(std::unique_lock<std::mutex>& lock);
  void start_threads(std::size_t wanted);
  std::time_t first_due(const Entry& entry) const;
  const Entry* wildcard_over(const Entry& entry) const;
  Standing describe(const Entry& entry) const;
  std::time_t due_of(const Entry& entry, std::time_t now) const;
  const StoredCertificate* in_use(const Entry& entry, std::time_t now) const;

  const Hooks hooks_;
  StopSignal stop_;
  CurlClient http_;
  Storage storage_;
  ChallengeBoard board_;
  Authorities authorities_;
  Orderer orderer_;

  mutable std::mutex mutex_;  // of what follows
  std::condition_variable work_;
  std::map<std::string, Entry> entries_;
  std::vector<std::thread> threads_;
  bool new_keys_wanted_ = false;
  bool changing_keys_ = false;
  bool held_ = false;  // between set_wanted() and release()
  bool ending_ = false;
};

}  // namespace portero::acme
