// The certificate authority of this machine, for names no public one vouches for: localhost,
// *.test, addresses. Root (10 years) -> intermediate (7 days) -> leaf (1 day); all ECDSA P-256, all
// renewed in time. Users who run `portero trust` put the root into their system's store.
//
// Files under <storage>/internal, directories 0700: root.crt (0644), root.key, intermediate.pem and
// leaves/<name>.pem (0600; chain and key in one file, so no crash can part them). A file that makes
// no sense is set aside as <file>.bad, logged, and replaced.
// Thread: control. Owner: the server. Time is always a parameter, in Unix seconds.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "net/certificate_store.hpp"

namespace portero::acme {

class InternalCa {
 public:
  static constexpr std::time_t root_seconds = 3650L * 24 * 3600;
  static constexpr std::time_t intermediate_seconds = 7L * 24 * 3600;
  static constexpr std::time_t leaf_seconds = 24L * 3600;

  // Loads the authority, or creates it. Throws std::runtime_error when the storage cannot be used.
  static InternalCa open(const std::string& storage, std::time_t now);

  // The certificate for a set of names (DNS names, wildcards, IP addresses): the one on disk, or a
  // new one when that is missing, bad or due for renewal. Throws std::runtime_error for a name that
  // cannot stand in a certificate and when the storage cannot be written.
  std::shared_ptr<const net::CertificateData> issue(const std::vector<std::string>& names,
                                                    std::time_t now);

  // Removes leaves that expired a week ago or earlier: their names are no site's any more. open()
  // does it too.
  void remove_old_leaves(std::time_t now) const;

  // Two thirds of a certificate's life are over. Any certificate, also those of other authorities.
  static bool renew_due(const net::CertificateData& certificate, std::time_t now) noexcept;

  const std::string& root_pem() const noexcept { return root_pem_; }
  const std::string& root_path() const noexcept { return root_path_; }

 private:
  using Authority = std::shared_ptr<const net::CertificateData>;

  explicit InternalCa(const std::string& storage);
  void open_root(std::time_t now);
  void open_intermediate(std::time_t now);
  bool is_usable_leaf(const net::CertificateData& leaf, std::time_t now) const;

  std::string directory_;
  std::string root_path_;
  std::string root_pem_;
  Authority root_;
  Authority intermediate_;
};

}  // namespace portero::acme
