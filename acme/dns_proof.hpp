// The record that answers a dns-01 challenge, for as long as it lives.
// Thread: the ACME threads; blocks. Source: RFC 8555 §8.4.
#pragma once

#include <string>

#include "acme/dns_client.hpp"
#include "acme/dns_provider.hpp"
#include "acme/stop_signal.hpp"

namespace portero::acme {

// What dns-01 needs of its service.
struct DnsTools {
  const DnsClient& client;
  DnsProvider& provider;
};

// "_acme-challenge.example.com" for "example.com" and "*.example.com".
std::string challenge_record_name(const std::string& name);

class DnsProof {
 public:
  // Returns when every name server of the zone has the record: up to two minutes. Throws
  // AcmeFailure of the type "dns" when it cannot be put there, or does not arrive.
  DnsProof(const DnsTools& tools, StopSignal& stop, const std::string& name,
           const std::string& key_authorization);
  DnsProof(const DnsProof&) = delete;
  DnsProof& operator=(const DnsProof&) = delete;
  // Takes the record away; a failure is logged, as it harms nobody. A server that stops does not
  // wait for it: its next order finds the record and takes it away.
  ~DnsProof();

 private:
  void wait_until_seen(const DnsPlace& place);
  void remove() noexcept;

  const DnsTools tools_;
  StopSignal& stop_;
  TxtRecord record_;
};

}  // namespace portero::acme
