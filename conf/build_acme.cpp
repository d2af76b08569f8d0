// Builds `acme` and what a site's `tls` changes of it.

#include "conf/build_acme.hpp"

#include "conf/build_values.hpp"

namespace portero::conf {
namespace {

Issuer letsencrypt() {
  Issuer issuer;
  issuer.name = "letsencrypt";
  issuer.directory = "https://acme-v02.api.letsencrypt.org/directory";
  issuer.staging = "https://acme-staging-v02.api.letsencrypt.org/directory";
  return issuer;
}

Issuer letsencrypt_staging() {
  Issuer issuer;
  issuer.name = "letsencrypt-staging";
  issuer.directory = letsencrypt().staging;
  return issuer;
}

Issuer zerossl() {
  Issuer issuer;
  issuer.name = "zerossl";
  issuer.directory = "https://acme.zerossl.com/v2/DV90";
  issuer.eab_url = "https://api.zerossl.com/acme/eab-credentials-email";
  return issuer;
}

std::string host_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t begin = scheme == std::string::npos ? 0 : scheme + 3;
  return url.substr(begin, url.find('/', begin) - begin);
}

Issuer build_issuer(const RoutePlace& place, const Node& node, const KeyPath& path) {
  if (node.text == "letsencrypt") return letsencrypt();
  if (node.text == "letsencrypt-staging") return letsencrypt_staging();
  if (node.text == "zerossl") return zerossl();
  Issuer issuer;
  if (!node.is_map()) return issuer;
  read_text(node, "directory", issuer.directory);
  issuer.name = host_of(issuer.directory);
  read_text(node, "staging", issuer.staging);
  issuer.roots = build_pem_file(place, node, "roots", "CERTIFICATE", path);
  if (const Node* eab = node.find("eab"); eab != nullptr && eab->is_map()) {
    read_text(*eab, "kid", issuer.eab_kid);
    read_text(*eab, "hmac", issuer.eab_hmac);
  }
  read_text(node, "profile", issuer.profile);
  read_text(node, "preferred_chain", issuer.preferred_chain);
  return issuer;
}

}  // namespace

void build_acme(const RoutePlace& place, const Node& map, const KeyPath& path, Acme& acme) {
  if (!map.is_map()) return;
  if (const Node* issuers = map.find("issuers"); issuers != nullptr) {
    const KeyPath at = path.key("issuers");
    acme.issuers.clear();
    if (issuers->is_list()) {
      for (const auto& issuer : issuers->items) {
        acme.issuers.push_back(build_issuer(place, *issuer, at));
      }
    } else {
      acme.issuers.push_back(build_issuer(place, *issuers, at));
    }
  }
  if (const Node* challenges = map.find("challenges"); challenges != nullptr) {
    acme.challenges = texts_of(challenges);
  }
}

std::vector<Issuer> default_issuers(const std::string& email) {
  std::vector<Issuer> issuers{letsencrypt()};
  if (!email.empty()) issuers.push_back(zerossl());
  return issuers;
}

}  // namespace portero::conf
