// Asks name servers: what a resolver knows of a name, and what a zone's own servers hold.
// Thread: the ACME threads; calls block, each server for up to 6 s. Owner: whoever proves or checks
// a name. Errors: AcmeFailure. Source: RFC 1035; messages by libldns.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace portero::acme {

struct DnsServer {
  std::string address;  // "10.0.0.53", "2001:db8::53"
  std::uint16_t port = 53;

  // From "10.0.0.53:53", "[2001:db8::53]:53" or an address alone.
  static DnsServer parse(const std::string& text);
  std::string text() const;
};

// A CAA record. Source: RFC 8659 §4.1.
struct CaaRecord {
  unsigned flags = 0;
  std::string tag;  // in lower case
  std::string value;
};

// Where the records of a name are kept.
struct DnsPlace {
  std::string name;  // after its CNAMEs
  std::string zone;
  std::vector<DnsServer> servers;  // that answer for the zone; empty when they cannot be found
};

class DnsClient {
 public:
  // "address:port" each; empty: those of /etc/resolv.conf.
  explicit DnsClient(const std::vector<std::string>& resolvers);

  DnsPlace place_of(const std::string& name) const;
  // IPv4 addresses first; empty when the name has none or does not exist.
  std::vector<std::string> addresses(const std::string& name) const;
  // Whether one of the name's TXT records at this server is `value`.
  bool has_text(const DnsServer& server, const std::string& name, const std::string& value) const;
  bool has_text(const std::string& name, const std::string& value) const;  // by the resolvers
  // The records that hold for a name: its own, or those of the nearest name above that has any.
  // Source: RFC 8659 §3.
  std::vector<CaaRecord> authorities(const std::string& name) const;

 private:
  std::vector<DnsServer> resolvers_;
};

}  // namespace portero::acme
