// Gets the certificate of every site ready: files of the user, public authorities, or the internal
// CA, which also stands in for a public one until that has issued.
// Thread: control.
#pragma once

#include <ctime>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "acme/internal_ca.hpp"
#include "acme/service.hpp"
#include "acme/stapler.hpp"
#include "base/file_stamp.hpp"
#include "conf/config.hpp"
#include "net/certificate_store.hpp"

namespace portero {

struct CertificateSet {
  std::shared_ptr<const net::CertificateStore> store;
  std::vector<FileStamp> files;  // of the user, to be watched
  std::vector<std::string> warnings;
};

struct CertificateSources {
  acme::InternalCa& ca;
  const acme::Service& service;
  const acme::Stapler& stapler;
  const std::set<std::string>& demanded;  // names on demand
  // Of the internal CA, by name: what is here is not asked for again.
  std::map<std::string, std::shared_ptr<const net::CertificateData>>& internal;
};

// Throws std::runtime_error naming the site and the file when a certificate cannot be had.
CertificateSet collect_certificates(const conf::Config& config, const CertificateSources& sources,
                                    std::time_t now);

// The certificate of a site that brings its own. Throws std::runtime_error naming site and file.
net::LoadedCertificate load_site_files(const conf::Site& site, std::time_t now);
// The roots of `tls.client_auth: {ca}`, in PEM. Throws as above.
std::string load_client_roots(const conf::Site& site);

// The names that public authorities are to be asked for, each once: those of the sites, and those
// of `demanded` that the configuration still covers.
std::vector<acme::Wanted> wanted_certificates(const conf::Config& config,
                                              const std::set<std::string>& demanded = {});
// The same for a name on demand; nullopt when no site with `on_demand` covers it.
std::optional<acme::Wanted> wanted_on_demand(const conf::Config& config, const std::string& name);

}  // namespace portero
