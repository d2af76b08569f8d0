// Makes keys and certificates: what an authority does, without knowing where things are kept.
// Thread: control and its jobs. Throws std::runtime_error with OpenSSL's reason.
#pragma once

#include <ctime>
#include <memory>
#include <string>
#include <vector>

#include "net/certificate_store.hpp"

namespace portero::acme {

enum class CertificateRole : std::uint8_t { root, intermediate, leaf };

struct CertificateRequest {
  CertificateRole role = CertificateRole::leaf;
  std::string common_name;         // of an authority; leaves have names only
  std::vector<std::string> names;  // DNS names, "*.example.com", IP addresses
  std::time_t not_before = 0;      // Unix seconds
  std::time_t not_after = 0;
  std::string acme_identifier;  // SHA-256 of a key authorization: answers tls-alpn-01 (RFC 8737)
};

// A new certificate as PEM, and its new ECDSA P-256 key (PKCS #8).
struct MadeCertificate {
  std::string certificate_pem;
  std::string key_pem;
};

// Signs with `issuer`, or with its own key when that is nullptr. Source: RFC 5280 §4.2.
MadeCertificate make_certificate(const CertificateRequest& request,
                                 const net::CertificateData* issuer);

// Whether `root` signed the last certificate of the chain, each the one before it, and all are
// meant so. Validity in time is not looked at.
bool chains_to(const net::CertificateData& certificate, const net::CertificateData& root);

// PEM of a certificate without its chain and key.
std::string certificate_pem(const net::CertificateData& certificate);

// Whether a text can be a name of a certificate: a DNS name (RFC 1034 §3.5, underscores allowed),
// a wildcard for one label, or an IP address.
bool is_certificate_name(const std::string& name);

}  // namespace portero::acme
