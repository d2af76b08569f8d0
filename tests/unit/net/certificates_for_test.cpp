#include "unit/net/certificates_for_test.hpp"

#include <unistd.h>

#include <filesystem>
#include <fstream>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

namespace portero::net::test {
namespace {

struct Signer {
  X509* certificate;
  EVP_PKEY* key;
};

std::string pem_of(X509* certificate) {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_X509(bio, certificate);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

std::string pem_of(EVP_PKEY* key) {
  BIO* const bio = BIO_new(BIO_s_mem());
  PEM_write_bio_PrivateKey(bio, key, nullptr, nullptr, 0, nullptr, nullptr);
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  std::string text(data, static_cast<std::size_t>(size));
  BIO_free(bio);
  return text;
}

void add_extension(X509* certificate, X509* issuer, int kind, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* const extension = X509V3_EXT_conf_nid(nullptr, &context, kind, value.c_str());
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

X509* make_certificate(const std::string& common_name, EVP_PKEY* key, const Signer* signer,
                       const std::string& names, long valid_seconds) {
  static long serial = 1;
  X509* const certificate = X509_new();
  X509_set_version(certificate, X509_VERSION_3);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
  X509_gmtime_adj(X509_getm_notAfter(certificate), -3600 + valid_seconds);
  X509_set_pubkey(certificate, key);
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.c_str());
  X509_NAME* const subject = X509_get_subject_name(certificate);
  X509_NAME_add_entry_by_txt(subject, "CN", MBSTRING_UTF8, text, -1, -1, 0);
  X509* const issuer = signer == nullptr ? certificate : signer->certificate;
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer));
  add_extension(certificate, issuer, NID_basic_constraints,
                signer == nullptr ? "critical,CA:TRUE" : "critical,CA:FALSE");
  if (!names.empty()) add_extension(certificate, issuer, NID_subject_alt_name, names);
  X509_sign(certificate, signer == nullptr ? key : signer->key, EVP_sha256());
  return certificate;
}

const Signer& authority() {
  static const Signer signer = [] {
    EVP_PKEY* const key = EVP_EC_gen("P-256");
    return Signer{make_certificate("test authority", key, nullptr, "", 86400 * 365), key};
  }();
  return signer;
}

class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    std::string pattern = std::filesystem::temp_directory_path() / "portero-test-XXXXXX";
    path_ = ::mkdtemp(pattern.data());
  }
  ~TemporaryDirectory() { std::filesystem::remove_all(path_); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

}  // namespace

Pem make_leaf(const std::vector<std::string>& names, long valid_seconds) {
  std::string alternatives;
  for (const std::string& name : names) {
    const bool is_address = name.find_first_not_of("0123456789.") == std::string::npos;
    if (!alternatives.empty()) alternatives += ',';
    alternatives += (is_address ? "IP:" : "DNS:") + name;
  }
  EVP_PKEY* const key = EVP_EC_gen("P-256");
  X509* const certificate =
      make_certificate("leaf", key, &authority(), alternatives, valid_seconds);
  Pem pem{pem_of(certificate), pem_of(key)};
  X509_free(certificate);
  EVP_PKEY_free(key);
  return pem;
}

const std::string& root_pem() {
  static const std::string pem = pem_of(authority().certificate);
  return pem;
}

const std::string& root_file() {
  static const std::string path = [] {
    const std::string file = temporary_path("root.pem");
    write_text(file, root_pem());
    return file;
  }();
  return path;
}

std::string temporary_path(const std::string& name) {
  static const TemporaryDirectory directory;
  return directory.path() / name;
}

void write_text(const std::string& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace portero::net::test
