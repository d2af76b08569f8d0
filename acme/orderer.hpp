// One attempt at a name that is due: is it time, what will the authority see, who is asked, what is
// kept. Knows nothing of threads and due times of other names.
// Thread: the ACME threads, several at a time, each name by one; blocks. Owner: the ACME service.
#pragma once

#include <ctime>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "acme/authorities.hpp"
#include "acme/challenge_board.hpp"
#include "acme/curl_client.hpp"
#include "acme/event.hpp"
#include "acme/order_run.hpp"
#include "acme/preflight.hpp"
#include "acme/stop_signal.hpp"
#include "acme/storage.hpp"
#include "conf/config_acme.hpp"

namespace portero::acme {

// A name that wants a certificate, and who may issue it.
struct Wanted {
  std::string name;
  std::vector<conf::Issuer> issuers;
  std::vector<std::string> challenges;
  std::string email;
  std::optional<conf::Dns> dns;
  std::vector<std::string> resolvers;  // empty = the system's
  bool preflight = true;
  std::string ask = {};  // URL; asked again before a name on demand is renewed
  friend bool operator==(const Wanted&, const Wanted&) = default;
};

struct Attempt {
  Wanted wanted;
  std::optional<StoredCertificate> stored;  // replaced when a new one is there
  NameState state;
  bool forced = false;      // whatever the schedule says
  bool revoke = false;      // the stored one first
  std::time_t due = 0;      // result: when to look again
  bool is_counted = false;  // in the ledger
};

// When a certificate is to be renewed.
std::time_t renewal_due(const StoredCertificate& stored, const NameState& state);
// When the first of the name's authorities may be asked, by the limits that they have named.
std::time_t unblocked_at(const Wanted& wanted, const NameState& state);

struct OrdererTools {
  Storage& storage;
  HttpClient& http;
  ChallengeBoard& board;
  Authorities& authorities;
  StopSignal& stop;
  std::function<std::time_t()> clock;
  OnEvent on_event;
};

class Orderer {
 public:
  explicit Orderer(OrdererTools tools) : tools_(std::move(tools)) {}

  // Throws Stopped, and std::system_error when the storage fails.
  void run(Attempt& work);

 private:
  bool adopt_from_storage(Attempt& work);
  bool ask_for_window(Attempt& work);
  void revoke_stored(Attempt& work);
  bool is_held_back(Attempt& work);
  bool is_still_allowed(Attempt& work);
  void count_order(Attempt& work);
  void tell_failure(const Attempt& work) const;
  void order_from_all(Attempt& work);
  Outlook look_ahead_of(const Attempt& work, const DnsClient& dns);
  void fail(Attempt& work, const std::string& errors);
  void order_from(Attempt& work, const conf::Issuer& issuer, const std::string& directory,
                  const std::vector<std::string>& challenges);
  void keep(Attempt& work, const conf::Issuer& issuer, const std::string& directory,
            const Issued& issued);
  DnsProvider& provider_of(const conf::Dns& settings);

  const OrdererTools tools_;
  std::mutex mutex_;
  std::vector<std::pair<conf::Dns, std::unique_ptr<DnsProvider>>> providers_;
};

}  // namespace portero::acme
