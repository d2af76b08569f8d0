// Builds `acme` and what a site's `tls` changes of it.
// Thread: any; belongs to one load.
#pragma once

#include <string>
#include <vector>

#include "conf/build_route.hpp"

namespace portero::conf {

// Reads `issuers` and `challenges` of `acme` or of a site's `tls`; what is absent stays.
void build_acme(const RoutePlace& place, const Node& map, const KeyPath& path, Acme& acme);

// Let's Encrypt; ZeroSSL behind it when there is an address of mail to open an account for.
std::vector<Issuer> default_issuers(const std::string& email);

}  // namespace portero::conf
