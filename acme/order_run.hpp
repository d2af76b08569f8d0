// One order from the request to the chain: what RFC 8555 §7.4 and §7.5 ask for, step by step.
// Thread: the ACME threads; blocks. Errors: AcmeFailure, Stopped, std::system_error of the storage.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "acme/acme_client.hpp"
#include "acme/challenge_board.hpp"
#include "acme/dns_proof.hpp"
#include "acme/storage.hpp"

namespace portero::acme {

struct OrderPlan {
  std::string name;
  std::vector<std::string> challenges;  // kinds, in order of preference
  std::string profile;
  std::string preferred_chain;
  std::string replaces;  // renewal id of the certificate that is renewed; may be ""
  bool keep = true;      // store the order, so that a restart goes on with it
};

struct Issued {
  std::string chain_pem;
  std::string key_pem;
  std::string challenge;  // that proved control; "" when the authority still knew it
  std::string why;        // it was that one, in words
};

// What an order needs of its service.
struct OrderTools {
  AcmeClient& client;
  const Account& account;
  ChallengeBoard& board;
  const Storage& storage;
  StopSignal& stop;
  const DnsTools* dns;  // nullptr: dns-01 is not to be had
  // Called before an order is made, not when one goes on that was left; may throw AcmeFailure.
  std::function<void()> before_order;
};

// Tries the challenges one after the other, each with an order of its own, as an authority ends an
// order at its first failed proof.
Issued run_order(const OrderTools& tools, const OrderPlan& plan);

}  // namespace portero::acme
