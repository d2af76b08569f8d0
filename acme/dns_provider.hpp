// Puts challenge records where a zone is kept: a name server, a service's API or the user's own
// command. Each provider keeps the values that others have put beside its own.
// Thread: the ACME threads, several at a time. Owner: the ACME service. Calls block.
#pragma once

#include <memory>
#include <string>

#include "acme/http_client.hpp"
#include "acme/stop_signal.hpp"
#include "conf/config_acme.hpp"

namespace portero::acme {

struct TxtRecord {
  std::string name;  // without a dot at its end, after CNAMEs
  std::string zone;  // that the name is in
  std::string value;
};

class DnsProvider {
 public:
  static constexpr unsigned ttl = 60;  // seconds; nobody asks for a value twice

  virtual ~DnsProvider() = default;
  // Both may be asked for what is so already. Errors: AcmeFailure.
  virtual void present(const TxtRecord& record) = 0;
  virtual void clean_up(const TxtRecord& record) = 0;
};

// The clients that providers share.
struct DnsProviderTools {
  HttpClient& http;
  StopSignal& stop;
};

std::unique_ptr<DnsProvider> make_dns_provider(const conf::Dns& settings,
                                               const DnsProviderTools& tools);

// By their files.
std::unique_ptr<DnsProvider> make_rfc2136(const conf::Dns& settings);
std::unique_ptr<DnsProvider> make_exec(const conf::Dns& settings, StopSignal& stop);
std::unique_ptr<DnsProvider> make_acme_dns(const conf::Dns& settings, HttpClient& http);
std::unique_ptr<DnsProvider> make_cloudflare(const conf::Dns& settings, HttpClient& http);
std::unique_ptr<DnsProvider> make_hetzner(const conf::Dns& settings, HttpClient& http);
std::unique_ptr<DnsProvider> make_digitalocean(const conf::Dns& settings, HttpClient& http);
std::unique_ptr<DnsProvider> make_route53(const conf::Dns& settings, HttpClient& http);

// The part of a record's name before its zone, as services want it: "_acme-challenge.www"; "@" for
// the zone itself.
std::string name_in_zone(const TxtRecord& record);

}  // namespace portero::acme
