// Certificates as shared, immutable data, and the table that finds one by server name.
// Thread: built by control; afterwards read by any thread (OpenSSL counts references atomically).
// Workers copy what they sign with (ServerContext), so handshakes share no cache line.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/result.hpp"

struct x509_st;
struct evp_pkey_st;

namespace portero::net {

struct FreeCertificate {
  void operator()(x509_st* certificate) const noexcept;
};
struct FreeKey {
  void operator()(evp_pkey_st* key) const noexcept;
};
using CertificatePointer = std::unique_ptr<x509_st, FreeCertificate>;
using KeyPointer = std::unique_ptr<evp_pkey_st, FreeKey>;

// A leaf with its key and the certificates between it and a root.
struct CertificateData {
  CertificatePointer leaf;
  std::vector<CertificatePointer> chain;  // without the leaf, nearest issuer first
  KeyPointer key;
  std::vector<std::string> names;  // DNS names and IP addresses of the SAN, lower case
  std::string issuer;              // common name, for people
  std::time_t not_before = 0;      // Unix seconds, as not_after
  std::time_t not_after = 0;
};

// Reads all certificates of a PEM text. Errors: none in it, a damaged one.
Explained<std::vector<CertificatePointer>> parse_certificates(std::string_view pem);

// Reads a chain (leaf first) and its key from PEM text; one text may hold both.
// Errors: no certificate, no key, an encrypted key, a key of another certificate, a key too weak.
Explained<std::shared_ptr<const CertificateData>> parse_certificate(std::string_view chain_pem,
                                                                    std::string_view key_pem);

struct LoadedCertificate {
  std::shared_ptr<const CertificateData> data;
  std::vector<std::string> warnings;  // expired, not valid yet, key readable by others
};

// Reads the files of `tls: {cert, key}`. Errors: as parse_certificate, and unreadable files; each
// names the file. An expired certificate is a warning: refusing it would take the other sites
// down with it at the next start.
Explained<LoadedCertificate> load_certificate_files(const std::string& certificate_path,
                                                    const std::string& key_path, std::time_t now);

// What clients must show of themselves.
struct ClientAuth {
  enum class Mode : std::uint8_t {
    request,  // a certificate may be shown
    require,  // one must
  };
  Mode mode = Mode::require;
  std::string roots_pem;  // who must have issued it; "" = anybody
};

// One name of one site and how it is served.
struct NamedCertificate {
  std::string name;  // "example.com", "*.example.com" (one label), "192.0.2.1", any case
  std::shared_ptr<const CertificateData> certificate;
  bool tls13_only = false;
  // An OCSP response (DER) that goes with the certificate; nullptr = none. Source: RFC 6066 §8.
  std::shared_ptr<const std::string> staple = nullptr;
  // Only stands in: a client that asks for a name is not served before the NameGate has let it.
  bool on_demand = false;
  std::shared_ptr<const ClientAuth> client_auth = nullptr;  // nullptr: nothing is asked for
};

class CertificateStore {
 public:
  static constexpr std::size_t none = static_cast<std::size_t>(-1);

  // What a handshake is made with. Names with the same certificate and policy share one.
  struct Identity {
    std::shared_ptr<const CertificateData> certificate;
    bool tls13_only = false;
    std::shared_ptr<const std::string> staple = nullptr;
    bool on_demand = false;
    std::shared_ptr<const ClientAuth> client_auth = nullptr;
    friend bool operator==(const Identity&, const Identity&) = default;
  };

  CertificateStore() = default;
  // The first of two equal names wins. `fallback` serves clients that ask for no name or for one
  // that is not here; without it they are refused.
  explicit CertificateStore(const std::vector<NamedCertificate>& entries,
                            const std::optional<NamedCertificate>& fallback = std::nullopt);

  // Index of the identity for a name of a ClientHello: exact, then *.rest, then the fallback; none
  // otherwise. "" asks for the fallback. `name` is lower case without a final dot.
  std::size_t find(std::string_view name) const noexcept;
  const std::vector<Identity>& identities() const noexcept { return identities_; }
  // Its place among the identities; none when it is not one of them.
  std::size_t index_of(const Identity& identity) const noexcept;

 private:
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept {
      return std::hash<std::string_view>()(text);
    }
  };
  using NameTable = std::unordered_map<std::string, std::size_t, Hash, std::equal_to<>>;

  std::size_t add_identity(const NamedCertificate& entry);

  std::vector<Identity> identities_;
  std::unordered_multimap<const CertificateData*, std::size_t> by_certificate_;
  NameTable exact_;
  NameTable wildcard_;  // "*.example.com" as "example.com"
  std::size_t fallback_ = none;
};

}  // namespace portero::net
