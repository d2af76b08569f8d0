// libldns in few words: messages, names and records that free themselves, and one exchange with one
// server. Thread: the ACME threads; blocks for up to 6 s. Owner: the DNS client and providers.
#pragma once

#include <stdbool.h>  // or libldns makes macros of `bool`, `true` and `false`

#include <memory>
#include <string>

#include <ldns/ldns.h>

#include "acme/dns_client.hpp"

namespace portero::acme {

struct FreeDnsMessage {
  void operator()(ldns_pkt* message) const noexcept { ldns_pkt_free(message); }
};
struct FreeDnsField {
  void operator()(ldns_rdf* field) const noexcept { ldns_rdf_deep_free(field); }
};
struct FreeDnsRecord {
  void operator()(ldns_rr* record) const noexcept { ldns_rr_free(record); }
};
struct FreeDnsResolver {
  void operator()(ldns_resolver* resolver) const noexcept { ldns_resolver_deep_free(resolver); }
};
using DnsMessage = std::unique_ptr<ldns_pkt, FreeDnsMessage>;
using DnsField = std::unique_ptr<ldns_rdf, FreeDnsField>;
using DnsRecord = std::unique_ptr<ldns_rr, FreeDnsRecord>;
using DnsResolver = std::unique_ptr<ldns_resolver, FreeDnsResolver>;

// Throws AcmeFailure when the text is no name.
DnsField dns_name(const std::string& text);
// Without the dot at its end, in lower case.
std::string dns_text(const ldns_rdf* name);

// Asks one server only. Throws AcmeFailure when it has no usable address.
DnsResolver resolver_for(const DnsServer& server);

// "NXDOMAIN", "REFUSED" and so on.
std::string dns_code(const ldns_pkt& message);

}  // namespace portero::acme
