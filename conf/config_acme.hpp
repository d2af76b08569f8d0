// Certificate authorities and how they are asked. Part of conf::Config.
#pragma once

#include <string>
#include <vector>

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
  friend bool operator==(const Issuer&, const Issuer&) = default;
};

struct Acme {
  std::vector<Issuer> issuers;  // tried in order
  std::vector<std::string> challenges{"tls-alpn-01", "http-01"};
};

}  // namespace portero::conf
