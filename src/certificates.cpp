#include "certificates.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "base/atomic_file.hpp"
#include "base/ip_address.hpp"
#include "listener_plan.hpp"

namespace portero {
namespace {

using SharedCertificate = std::shared_ptr<const net::CertificateData>;

// The site with `on_demand` that a name belongs to: the one with its wildcard, else one for any
// host.
const conf::Site* site_on_demand(const conf::Config& config, const std::string& name) {
  const std::size_t dot = name.find('.');
  const std::string wildcard = dot == std::string::npos ? "" : "*" + name.substr(dot);
  const conf::Site* any = nullptr;
  for (const conf::Site& site : config.sites) {
    if (!site.tls.on_demand || site.tls.mode != conf::TlsMode::automatic) continue;
    for (const conf::SiteName& one : site.names) {
      if (one.plain_http) continue;
      if (one.host == wildcard) return &site;
      if (one.host.empty() && any == nullptr) any = &site;
    }
  }
  return any;
}

acme::Wanted wanted_of(const conf::Config& config, const conf::Site& site,
                       const std::string& name) {
  const conf::Acme& settings = site.tls.acme;
  return {name,
          settings.issuers,
          settings.challenges_for(name),
          config.email,
          settings.dns,
          settings.resolvers,
          settings.preflight,
          ""};
}

class Collector {
 public:
  Collector(const conf::Config& config, const CertificateSources& sources, std::time_t now)
      : config_(config), sources_(sources), now_(now) {}

  CertificateSet run() {
    for (const conf::Site& site : config_.sites) {
      for (const conf::SiteName& name : site.names) add(site, name);
    }
    for (const std::string& name : sources_.demanded) add_on_demand(name);
    set_.store = std::make_shared<const net::CertificateStore>(entries_, fallback_);
    return std::move(set_);
  }

 private:
  void add(const conf::Site& site, const conf::SiteName& name) {
    if (!endpoint_of(config_, site, name).tls) return;
    const SharedCertificate issued =
        name.by_acme ? sources_.service.certificate(name.host) : nullptr;
    net::NamedCertificate entry{name.host, issued, site.tls.min_tls13};
    if (site.tls.mode == conf::TlsMode::files) entry.certificate = from_files(site);
    if (entry.certificate == nullptr) entry.certificate = from_internal_ca(name);
    entry.staple = sources_.stapler.staple(*entry.certificate);
    entry.client_auth = client_auth_of(site);
    const bool is_exact = !name.host.empty() && !name.host.starts_with("*.");
    entry.on_demand = site.tls.on_demand && issued == nullptr && !is_exact;
    entries_.push_back(entry);
    // Clients that connect by address send no name: a site for any host, or for an address, is
    // what they get.
    const bool without_name = name.host.empty() || IpAddress::parse(name.host).has_value();
    if (without_name && !fallback_) fallback_ = entry;
  }

  void add_on_demand(const std::string& name) {
    const conf::Site* const site = site_on_demand(config_, name);
    const SharedCertificate issued = site ? sources_.service.certificate(name) : nullptr;
    if (issued == nullptr || issued->not_after <= now_) return;
    entries_.push_back({name, issued, site->tls.min_tls13, sources_.stapler.staple(*issued), false,
                        client_auth_of(*site)});
  }

  using SharedClientAuth = std::shared_ptr<const net::ClientAuth>;

  // Fails closed: without its roots a site is not served at all.
  SharedClientAuth client_auth_of(const conf::Site& site) {
    using Mode = net::ClientAuth::Mode;
    if (site.tls.client_auth == conf::ClientAuthMode::none) return nullptr;
    SharedClientAuth& known = client_auth_[&site];
    if (known) return known;
    auto auth = std::make_shared<net::ClientAuth>();
    const bool may_be_absent = site.tls.client_auth == conf::ClientAuthMode::request;
    auth->mode = may_be_absent ? Mode::request : Mode::require;
    if (!site.tls.client_ca.empty()) {
      auth->roots_pem = load_client_roots(site);
      set_.files.push_back(FileStamp::of(site.tls.client_ca));
    }
    known = std::move(auth);
    return known;
  }

  SharedCertificate from_internal_ca(const conf::SiteName& name) {
    const std::string host = name.host.empty() ? "localhost" : name.host;
    SharedCertificate& known = sources_.internal[host];
    if (known == nullptr) known = sources_.ca.issue({host}, now_);
    return known;
  }

  SharedCertificate from_files(const conf::Site& site) {
    SharedCertificate& known = by_file_[{site.tls.cert, site.tls.key}];
    if (known) return known;
    set_.files.push_back(FileStamp::of(site.tls.cert));
    set_.files.push_back(FileStamp::of(site.tls.key));
    net::LoadedCertificate loaded = load_site_files(site, now_);
    std::move(loaded.warnings.begin(), loaded.warnings.end(), std::back_inserter(set_.warnings));
    known = loaded.data;
    return known;
  }

  const conf::Config& config_;
  const CertificateSources& sources_;
  std::time_t now_;
  CertificateSet set_;
  std::vector<net::NamedCertificate> entries_;
  std::map<std::pair<std::string, std::string>, SharedCertificate> by_file_;
  std::map<const conf::Site*, SharedClientAuth> client_auth_;
  std::optional<net::NamedCertificate> fallback_;
};

}  // namespace

net::LoadedCertificate load_site_files(const conf::Site& site, std::time_t now) {
  Explained<net::LoadedCertificate> loaded =
      net::load_certificate_files(site.tls.cert, site.tls.key, now);
  if (loaded) return std::move(*loaded);
  throw std::runtime_error(
      fmt::format("{}:{}: tls: {}", site.where.file, site.where.line, loaded.error()));
}

std::string load_client_roots(const conf::Site& site) {
  std::string pem = read_file(site.tls.client_ca).value_or("");
  const auto roots = net::parse_certificates(pem);
  if (roots) return pem;
  throw std::runtime_error(fmt::format("{}:{}: tls.client_auth: {}: {}", site.where.file,
                                       site.where.line, site.tls.client_ca, roots.error()));
}

CertificateSet collect_certificates(const conf::Config& config, const CertificateSources& sources,
                                    std::time_t now) {
  return Collector(config, sources, now).run();
}

std::vector<acme::Wanted> wanted_certificates(const conf::Config& config,
                                              const std::set<std::string>& demanded) {
  std::vector<acme::Wanted> wanted;
  std::set<std::string> seen;
  for (const conf::Site& site : config.sites) {
    for (const conf::SiteName& name : site.names) {
      if (!name.by_acme || !seen.insert(name.host).second) continue;
      wanted.push_back(wanted_of(config, site, name.host));
    }
  }
  for (const std::string& name : demanded) {
    if (seen.contains(name)) continue;
    if (std::optional<acme::Wanted> one = wanted_on_demand(config, name)) wanted.push_back(*one);
  }
  return wanted;
}

std::optional<acme::Wanted> wanted_on_demand(const conf::Config& config, const std::string& name) {
  const conf::Site* const site = site_on_demand(config, name);
  if (site == nullptr || !site->tls.acme.on_demand) return std::nullopt;
  acme::Wanted wanted = wanted_of(config, *site, name);
  wanted.ask = site->tls.acme.on_demand->ask;
  return wanted;
}

}  // namespace portero
