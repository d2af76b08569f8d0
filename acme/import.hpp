// Takes over what Caddy or certbot have: certificates with their keys, and the accounts they were
// had with, so that switching to portero orders nothing.
// Thread: any; for the command line. Nothing is removed or changed at the source; what the storage
// has already is kept when it lasts longer.
#pragma once

#include <ctime>
#include <string>
#include <vector>

#include "acme/storage.hpp"

namespace portero::acme {

// Sentences for people: what was taken, and what was not and why.
struct ImportReport {
  std::vector<std::string> taken;
  std::vector<std::string> left;
};

// Caddy's storage: the folder with `certificates` and `acme` in it, such as
// /var/lib/caddy/.local/share/caddy. `directories`: those of authorities that may be meant; Caddy
// names its folders by them. Throws std::runtime_error when it is no such folder.
ImportReport import_caddy(const std::string& folder, const std::vector<std::string>& directories,
                          const Storage& storage, std::time_t now);

// certbot's folder, /etc/letsencrypt. Throws std::runtime_error when it is no such folder.
ImportReport import_certbot(const std::string& folder, const Storage& storage, std::time_t now);

}  // namespace portero::acme
