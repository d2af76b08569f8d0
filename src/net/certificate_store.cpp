#include "net/certificate_store.hpp"

#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <system_error>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/atomic_file.hpp"
#include "base/bytes.hpp"
#include "base/ip_address.hpp"

namespace portero::net {
namespace {

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
using BioPointer = std::unique_ptr<BIO, FreeBio>;

struct FreeContext {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};

struct FreeNames {
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};

BioPointer bio_of(std::string_view text) {
  return BioPointer(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

// The newest reason OpenSSL gave; empties its queue.
std::string take_reason() {
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = reason == nullptr ? "unknown reason" : reason;
  ERR_clear_error();
  return text;
}

std::time_t unix_seconds(const ASN1_TIME* time) {
  std::tm parts{};
  return ASN1_TIME_to_tm(time, &parts) == 1 ? ::timegm(&parts) : 0;
}

std::string text_of(const ASN1_STRING* text) {
  return {reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)),
          static_cast<std::size_t>(ASN1_STRING_length(text))};
}

std::string ip_text(const ASN1_OCTET_STRING* octets) {
  const std::string bytes = text_of(octets);
  IpAddress address;
  if (bytes.size() == 4) {
    address.bytes[10] = address.bytes[11] = 0xff;
    std::memcpy(address.bytes.data() + 12, bytes.data(), 4);
  } else if (bytes.size() == address.bytes.size()) {
    std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
  } else {
    return {};
  }
  return address.to_string();
}

std::vector<std::string> subject_names(const X509* certificate) {
  const std::unique_ptr<GENERAL_NAMES, FreeNames> names(static_cast<GENERAL_NAMES*>(
      X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::vector<std::string> out;
  for (int i = 0; i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* const name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) out.push_back(to_lower(text_of(name->d.dNSName)));
    if (name->type == GEN_IPADD) out.push_back(ip_text(name->d.iPAddress));
  }
  return out;
}

std::string common_name_of(const X509_NAME* name) {
  for (const int field : {NID_commonName, NID_organizationName}) {
    const int at = X509_NAME_get_index_by_NID(name, field, -1);
    if (at >= 0) return text_of(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, at)));
  }
  return {};
}

int refuse_passphrase(char* /*buffer*/, int /*size*/, int /*writing*/, void* asked) {
  *static_cast<bool*>(asked) = true;
  return -1;
}

Explained<KeyPointer> parse_key(std::string_view pem) {
  if (pem.find("PRIVATE KEY-----") == std::string_view::npos) {
    return std::string("no private key (BEGIN PRIVATE KEY) in it");
  }
  bool encrypted = false;
  const BioPointer bio = bio_of(pem);
  KeyPointer key(PEM_read_bio_PrivateKey(bio.get(), nullptr, &refuse_passphrase, &encrypted));
  if (key != nullptr) {
    ERR_clear_error();
    return key;
  }
  const std::string reason = take_reason();
  if (encrypted) {
    return std::string("the private key is encrypted; decrypt it first (openssl pkey)");
  }
  return "the private key is damaged (" + reason + ")";
}

// What TLS would refuse only at the first handshake: weak keys and digests.
std::string weakness_of(const CertificateData& data) {
  const std::unique_ptr<SSL_CTX, FreeContext> context(SSL_CTX_new(TLS_server_method()));
  bool accepted = SSL_CTX_use_certificate(context.get(), data.leaf.get()) == 1 &&
                  SSL_CTX_use_PrivateKey(context.get(), data.key.get()) == 1;
  for (const CertificatePointer& issuer : data.chain) {
    accepted = accepted && SSL_CTX_add1_chain_cert(context.get(), issuer.get()) == 1;
  }
  return accepted ? std::string() : take_reason();
}

Explained<std::shared_ptr<const CertificateData>> join(std::vector<CertificatePointer> chain,
                                                       KeyPointer key) {
  if (X509_check_private_key(chain.front().get(), key.get()) != 1) {
    ERR_clear_error();
    return std::string("the private key belongs to another certificate");
  }
  auto data = std::make_shared<CertificateData>();
  data->leaf = std::move(chain.front());
  for (std::size_t i = 1; i < chain.size(); ++i) data->chain.push_back(std::move(chain[i]));
  data->key = std::move(key);
  const X509* const leaf = data->leaf.get();
  data->names = subject_names(leaf);
  data->issuer = common_name_of(X509_get_issuer_name(leaf));
  data->not_before = unix_seconds(X509_get0_notBefore(leaf));
  data->not_after = unix_seconds(X509_get0_notAfter(leaf));
  const std::string weakness = weakness_of(*data);
  if (!weakness.empty()) return "TLS does not accept the certificate (" + weakness + ")";
  return std::shared_ptr<const CertificateData>(std::move(data));
}

// Reads a file into `text`; returns what is wrong, or nothing.
std::string read_text(const std::string& path, std::string& text) {
  try {
    std::optional<std::string> content = read_file(path);
    if (!content) return path + ": there is no such file";
    text = std::move(*content);
    return {};
  } catch (const std::system_error& error) {
    return error.what();
  }
}

std::string date_text(std::time_t time) {
  std::tm parts{};
  ::gmtime_r(&time, &parts);
  std::array<char, 32> text{};
  return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%d %H:%M UTC", &parts)};
}

std::vector<std::string> warnings_about(const CertificateData& data,
                                        const std::string& certificate_path,
                                        const std::string& key_path, std::time_t now) {
  std::vector<std::string> warnings;
  if (now > data.not_after) {
    warnings.push_back(certificate_path + ": expired on " + date_text(data.not_after));
  }
  if (now < data.not_before) {
    warnings.push_back(certificate_path + ": not valid before " + date_text(data.not_before));
  }
  // Group access is how Debian shares keys (group ssl-cert); everybody's is a mistake.
  struct stat status {};
  if (::stat(key_path.c_str(), &status) == 0 && (status.st_mode & S_IRWXO) != 0) {
    warnings.push_back(key_path + ": every user can read this private key; chmod o= it");
  }
  return warnings;
}

}  // namespace

Explained<std::vector<CertificatePointer>> parse_certificates(std::string_view pem) {
  const BioPointer bio = bio_of(pem);
  std::vector<CertificatePointer> chain;
  for (;;) {
    CertificatePointer next(PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr));
    if (next == nullptr) break;
    chain.push_back(std::move(next));
  }
  const bool at_end = ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE;
  const std::string reason = take_reason();
  if (!at_end) {
    return "certificate " + std::to_string(chain.size() + 1) + " is damaged (" + reason + ")";
  }
  if (chain.empty()) return std::string("no certificate (BEGIN CERTIFICATE) in it");
  return chain;
}

void FreeCertificate::operator()(x509_st* certificate) const noexcept { X509_free(certificate); }
void FreeKey::operator()(evp_pkey_st* key) const noexcept { EVP_PKEY_free(key); }

Explained<std::shared_ptr<const CertificateData>> parse_certificate(std::string_view chain_pem,
                                                                    std::string_view key_pem) {
  Explained<std::vector<CertificatePointer>> chain = parse_certificates(chain_pem);
  if (!chain) return chain.error();
  Explained<KeyPointer> key = parse_key(key_pem);
  if (!key) return key.error();
  return join(std::move(*chain), std::move(*key));
}

Explained<LoadedCertificate> load_certificate_files(const std::string& certificate_path,
                                                    const std::string& key_path, std::time_t now) {
  std::string chain_pem;
  std::string key_pem;
  std::string problem = read_text(certificate_path, chain_pem);
  if (problem.empty()) problem = read_text(key_path, key_pem);
  if (!problem.empty()) return problem;
  Explained<std::vector<CertificatePointer>> chain = parse_certificates(chain_pem);
  if (!chain) return certificate_path + ": " + chain.error();
  Explained<KeyPointer> key = parse_key(key_pem);
  if (!key) return key_path + ": " + key.error();
  Explained<std::shared_ptr<const CertificateData>> data = join(std::move(*chain), std::move(*key));
  if (!data) return certificate_path + ", " + key_path + ": " + data.error();
  return LoadedCertificate{*data, warnings_about(**data, certificate_path, key_path, now)};
}

CertificateStore::CertificateStore(const std::vector<NamedCertificate>& entries,
                                   const std::optional<NamedCertificate>& fallback) {
  for (const NamedCertificate& entry : entries) {
    const std::size_t identity = add_identity(entry);
    const std::string name = to_lower(entry.name);
    if (name.starts_with("*.")) {
      wildcard_.emplace(name.substr(2), identity);
    } else {
      exact_.emplace(name, identity);
    }
  }
  if (fallback) fallback_ = add_identity(*fallback);
}

std::size_t CertificateStore::add_identity(const NamedCertificate& entry) {
  Identity identity{entry.certificate, entry.tls13_only, entry.staple, entry.on_demand,
                    entry.client_auth};
  const std::size_t known = index_of(identity);
  if (known != none) return known;
  by_certificate_.emplace(identity.certificate.get(), identities_.size());
  identities_.push_back(std::move(identity));
  return identities_.size() - 1;
}

std::size_t CertificateStore::index_of(const Identity& identity) const noexcept {
  const auto [first, last] = by_certificate_.equal_range(identity.certificate.get());
  const auto found = std::find_if(
      first, last, [&](const auto& one) { return identities_[one.second] == identity; });
  return found == last ? none : found->second;
}

std::size_t CertificateStore::find(std::string_view name) const noexcept {
  const auto exact = exact_.find(name);
  if (exact != exact_.end()) return exact->second;
  const std::size_t dot = name.find('.');
  if (dot != std::string_view::npos && dot != 0) {
    const auto wildcard = wildcard_.find(name.substr(dot + 1));
    if (wildcard != wildcard_.end()) return wildcard->second;
  }
  return fallback_;
}

}  // namespace portero::net
