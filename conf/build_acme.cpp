// Builds `acme` and what a site's `tls` changes of it.

#include "conf/build_acme.hpp"

#include <algorithm>
#include <cstdlib>

#include <fmt/format.h>

#include "conf/build_values.hpp"

namespace portero::conf {
namespace {

Issuer letsencrypt() {
  Issuer issuer;
  issuer.name = "letsencrypt";
  issuer.is_public = true;
  issuer.directory = "https://acme-v02.api.letsencrypt.org/directory";
  issuer.staging = "https://acme-staging-v02.api.letsencrypt.org/directory";
  return issuer;
}

Issuer letsencrypt_staging() {
  Issuer issuer;
  issuer.name = "letsencrypt-staging";
  issuer.is_public = true;
  issuer.directory = letsencrypt().staging;
  return issuer;
}

Issuer zerossl() {
  Issuer issuer;
  issuer.name = "zerossl";
  issuer.is_public = true;
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

// What each provider needs beside its name, and what it may be given.
struct ProviderKeys {
  std::string_view provider;
  std::vector<std::string_view> needed;
  std::vector<std::string_view> allowed;
};

const std::vector<ProviderKeys>& provider_keys() {
  static const std::vector<ProviderKeys> all{
      {"rfc2136", {"server"}, {"key_name", "key", "algorithm"}},
      {"exec", {"command"}, {}},
      {"acme-dns", {"api", "username", "password", "subdomain"}, {}},
      {"cloudflare", {"token"}, {"api"}},
      {"hetzner", {"token"}, {"api"}},
      {"digitalocean", {"token"}, {"api"}},
      {"route53", {"access_key_id", "secret_access_key"}, {"session_token", "api"}},
  };
  return all;
}

void check_provider_keys(const RoutePlace& place, const Node& node, const KeyPath& path,
                         const std::string& provider) {
  const auto report = [&](const Where& where, std::string text) {
    place.context.problems.error({where, path.text(), std::move(text), "", "", ""});
  };
  const auto& all = provider_keys();
  const auto known = std::find_if(all.begin(), all.end(), [&provider](const ProviderKeys& one) {
    return one.provider == provider;
  });
  if (known == all.end()) return;
  for (const std::string_view key : known->needed) {
    if (!node.has(key)) {
      report(node.where, fmt::format("the provider `{}` needs `{}`", provider, key));
    }
  }
  if (provider == "rfc2136" && node.has("key") != node.has("key_name")) {
    report(node.where, "`key_name` and `key` belong together");
  }
  const auto holds = [](const std::vector<std::string_view>& list, std::string_view key) {
    return std::find(list.begin(), list.end(), key) != list.end();
  };
  for (const Entry& entry : node.entries) {
    const std::string_view key = entry.key->text;
    if (key == "provider" || holds(known->needed, key) || holds(known->allowed, key)) continue;
    report(entry.key->where, fmt::format("the provider `{}` has no use for `{}`", provider, key));
  }
}

Dns build_dns(const RoutePlace& place, const Node& node, const KeyPath& path) {
  Dns dns;
  read_text(node, "provider", dns.provider);
  check_provider_keys(place, node, path, dns.provider);
  read_text(node, "server", dns.server);
  read_text(node, "key_name", dns.key_name);
  read_text(node, "key", dns.key);
  read_text(node, "algorithm", dns.algorithm);
  read_text(node, "command", dns.command);
  if (!dns.command.empty()) dns.command = resolve_path(place.scope.file, dns.command);
  read_text(node, "token", dns.token);
  read_text(node, "access_key_id", dns.access_key_id);
  read_text(node, "secret_access_key", dns.secret_access_key);
  read_text(node, "session_token", dns.session_token);
  read_text(node, "username", dns.username);
  read_text(node, "password", dns.password);
  read_text(node, "subdomain", dns.subdomain);
  read_text(node, "api", dns.api);
  return dns;
}

CertificateEvents build_events(const RoutePlace& place, const Node& node) {
  CertificateEvents events;
  read_text(node, "exec", events.exec);
  if (!events.exec.empty()) events.exec = resolve_path(place.scope.file, events.exec);
  read_text(node, "webhook", events.webhook);
  if (const Node* const days = node.find("days_left"); days != nullptr) {
    events.days_left.clear();
    for (const std::string& text : texts_of(days)) {
      events.days_left.push_back(static_cast<unsigned>(std::strtoul(text.c_str(), nullptr, 10)));
    }
  }
  return events;
}

}  // namespace

std::vector<std::string> Acme::challenges_for(const std::string& name) const {
  if (!name.starts_with("*.")) return challenges;
  return uses_dns() ? std::vector<std::string>{"dns-01"} : std::vector<std::string>{};
}

bool Acme::uses_dns() const {
  return std::find(challenges.begin(), challenges.end(), "dns-01") != challenges.end();
}

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
    acme.challenges_given = true;
  }
  read_boolean(map, "preflight", acme.preflight);
  if (const Node* node = map.find("on_demand"); node != nullptr && node->is_map()) {
    acme.on_demand.emplace();
    read_text(*node, "ask", acme.on_demand->ask);
    const Node* const limit = node->find("limit");
    if (const Parsed<Rate> rate = parse_rate(limit == nullptr ? "" : limit->text)) {
      acme.on_demand->names_max = rate->count;
      acme.on_demand->period = rate->per;
    }
  }
  if (const Node* node = map.find("events"); node != nullptr && node->is_map()) {
    acme.events = build_events(place, *node);
  }
  if (map.has("resolvers")) acme.resolvers = texts_of(map.find("resolvers"));
  if (const Node* dns = map.find("dns"); dns != nullptr && dns->is_map()) {
    acme.dns = build_dns(place, *dns, path.key("dns"));
  }
  if (acme.dns && !acme.challenges_given) {
    acme.challenges = Acme().challenges;
    acme.challenges.emplace_back("dns-01");
  }
}

std::vector<Issuer> default_issuers(const std::string& email) {
  std::vector<Issuer> issuers{letsencrypt()};
  if (!email.empty()) issuers.push_back(zerossl());
  return issuers;
}

}  // namespace portero::conf
