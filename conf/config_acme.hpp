// Certificate authorities and how they are asked. Part of conf::Config.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "conf/config_values.hpp"

namespace portero::conf {

// One of `acme.issuers`.
struct Issuer {
  std::string name;       // "letsencrypt", "zerossl"; else the directory's host
  std::string directory;  // URL
  std::string staging;    // URL of the authority's test directory; "" = it has none
  std::string roots;      // PEM file; "" = the system's
  std::string eab_kid;
  std::string eab_hmac;  // base64url
  std::string eab_url;   // where an external account is had for an address of mail; "" = nowhere
  std::string profile;
  std::string preferred_chain;  // common name of an issuer in the chain
  bool is_public = false;       // one of those known by name, which ask over the internet
  friend bool operator==(const Issuer&, const Issuer&) = default;
};

// `dns`: who keeps the zones, for dns-01. What a provider does not need is empty.
struct Dns {
  std::string provider;  // rfc2136, exec, acme-dns, cloudflare, digitalocean, hetzner, route53
  std::string server;    // "10.0.0.53:53"
  std::string key_name;  // of TSIG; "" = unsigned
  std::string key;       // base64
  std::string algorithm{"hmac-sha256"};
  std::string command;
  std::string token;
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;
  std::string username;
  std::string password;
  std::string subdomain;
  std::string api;  // URL; "" = the service's usual one
  friend bool operator==(const Dns&, const Dns&) = default;
};

// Certificates for names that clients ask for and no site spells out.
struct OnDemand {
  std::string ask;          // URL; answers 2xx when a name may have a certificate
  unsigned names_max = 10;  // new ones within `period`, all clients together
  Duration period{60'000};
  friend bool operator==(const OnDemand&, const OnDemand&) = default;
};

// `acme.events`: who is told what happens to certificates.
struct CertificateEvents {
  std::string exec;     // "" = nobody
  std::string webhook;  // URL; "" = nobody
  std::vector<unsigned> days_left{14, 7, 3, 1};
  friend bool operator==(const CertificateEvents&, const CertificateEvents&) = default;
};

struct Acme {
  std::vector<Issuer> issuers;  // tried in order
  // Tried in order; with `dns` and without `challenges`, dns-01 is the last of them.
  std::vector<std::string> challenges{"tls-alpn-01", "http-01"};
  std::optional<Dns> dns;
  std::vector<std::string> resolvers;  // "address:port"; empty = the system's
  bool challenges_given = false;
  bool preflight = true;
  std::optional<OnDemand> on_demand;
  CertificateEvents events;

  // What can prove this name: a wildcard only DNS. Source: RFC 8555 §7.1.3.
  std::vector<std::string> challenges_for(const std::string& name) const;
  bool uses_dns() const;  // whether dns-01 is one of the challenges
  friend bool operator==(const Acme&, const Acme&) = default;
};

}  // namespace portero::conf
