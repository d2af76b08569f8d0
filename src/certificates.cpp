#include "certificates.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <map>
#include <set>
#include <stdexcept>

#include <fmt/format.h>

#include "base/ip_address.hpp"
#include "listener_plan.hpp"

namespace portero {
namespace {

using SharedCertificate = std::shared_ptr<const net::CertificateData>;

class Collector {
 public:
  Collector(const conf::Config& config, acme::InternalCa& ca, const acme::Service& acme,
            std::time_t now)
      : config_(config), ca_(ca), acme_(acme), now_(now) {}

  CertificateSet run() {
    for (const conf::Site& site : config_.sites) {
      for (const conf::SiteName& name : site.names) add(site, name);
    }
    set_.store = std::make_shared<const net::CertificateStore>(entries_, fallback_);
    return std::move(set_);
  }

 private:
  void add(const conf::Site& site, const conf::SiteName& name) {
    if (!endpoint_of(config_, site, name).tls) return;
    const SharedCertificate certificate =
        site.tls.mode == conf::TlsMode::files ? from_files(site) : issued_for(name);
    entries_.push_back({name.host, certificate, site.tls.min_tls13});
    // Clients that connect by address send no name: a site for any host, or for an address, is
    // what they get.
    const bool without_name = name.host.empty() || IpAddress::parse(name.host).has_value();
    if (without_name && !fallback_) fallback_ = certificate;
  }

  SharedCertificate issued_for(const conf::SiteName& name) {
    SharedCertificate issued = name.by_acme ? acme_.certificate(name.host) : nullptr;
    return issued != nullptr ? issued : from_internal_ca(name);
  }

  SharedCertificate from_internal_ca(const conf::SiteName& name) {
    return ca_.issue({name.host.empty() ? "localhost" : name.host}, now_);
  }

  SharedCertificate from_files(const conf::Site& site) {
    SharedCertificate& known = by_file_[{site.tls.cert, site.tls.key}];
    if (known) return known;
    set_.files.push_back(FileStamp::of(site.tls.cert));
    set_.files.push_back(FileStamp::of(site.tls.key));
    Explained<net::LoadedCertificate> loaded =
        net::load_certificate_files(site.tls.cert, site.tls.key, now_);
    if (!loaded) {
      throw std::runtime_error(
          fmt::format("{}:{}: tls: {}", site.where.file, site.where.line, loaded.error()));
    }
    std::move(loaded->warnings.begin(), loaded->warnings.end(), std::back_inserter(set_.warnings));
    known = loaded->data;
    return known;
  }

  const conf::Config& config_;
  acme::InternalCa& ca_;
  const acme::Service& acme_;
  std::time_t now_;
  CertificateSet set_;
  std::vector<net::NamedCertificate> entries_;
  std::map<std::pair<std::string, std::string>, SharedCertificate> by_file_;
  SharedCertificate fallback_;
};

}  // namespace

FileStamp FileStamp::of(const std::string& path) {
  FileStamp stamp;
  stamp.path = path;
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return stamp;
  stamp.modified_ns = info.st_mtim.tv_sec * 1'000'000'000 + info.st_mtim.tv_nsec;
  stamp.inode = info.st_ino;
  stamp.size = info.st_size;
  return stamp;
}

CertificateSet collect_certificates(const conf::Config& config, acme::InternalCa& ca,
                                    const acme::Service& acme, std::time_t now) {
  return Collector(config, ca, acme, now).run();
}

std::vector<acme::Wanted> wanted_certificates(const conf::Config& config) {
  std::vector<acme::Wanted> wanted;
  std::set<std::string> seen;
  for (const conf::Site& site : config.sites) {
    for (const conf::SiteName& name : site.names) {
      if (!name.by_acme || !seen.insert(name.host).second) continue;
      const conf::Acme& settings = site.tls.acme;
      acme::Wanted one{name.host,         settings.issuers, settings.challenges_for(name.host),
                       config.email,      settings.dns,     settings.resolvers,
                       settings.preflight};
      wanted.push_back(std::move(one));
    }
  }
  return wanted;
}

}  // namespace portero
