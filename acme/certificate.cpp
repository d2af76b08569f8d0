#include "acme/certificate.hpp"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>

#include "acme/openssl_parts.hpp"
#include "base/ip_address.hpp"

namespace portero::acme {
namespace {

constexpr int serial_bytes = 16;
constexpr std::size_t name_bytes_max = 253;
constexpr std::size_t label_bytes_max = 63;

void set_serial(X509* certificate) {
  unsigned char bytes[serial_bytes];
  check(RAND_bytes(bytes, serial_bytes) == 1, "get random bytes");
  bytes[0] = static_cast<unsigned char>((bytes[0] & 0x7f) | 0x40);  // positive, always 16 bytes
  BIGNUM* const number = BN_bin2bn(bytes, serial_bytes, nullptr);
  const bool done = BN_to_ASN1_INTEGER(number, X509_get_serialNumber(certificate)) != nullptr;
  BN_free(number);
  check(done, "set the serial number");
}

void add_extension(X509* certificate, X509* issuer, int kind, const char* value) {
  X509V3_CTX context;
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  const ExtensionPointer extension(X509V3_EXT_conf_nid(nullptr, &context, kind, value));
  check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
        "add an extension");
}

void add_names(X509* certificate, const std::vector<std::string>& names) {
  const NamesPointer list = alternative_names(names);
  // Critical, because the subject is empty. Source: RFC 5280 §4.2.1.6.
  check(
      X509_add1_ext_i2d(certificate, NID_subject_alt_name, list.get(), 1, X509V3_ADD_DEFAULT) == 1,
      "add the names");
}

void add_role(X509* certificate, X509* issuer, CertificateRole role) {
  const char* const constraints = role == CertificateRole::root ? "critical,CA:TRUE,pathlen:1"
                                  : role == CertificateRole::intermediate
                                      ? "critical,CA:TRUE,pathlen:0"
                                      : "critical,CA:FALSE";
  const bool is_leaf = role == CertificateRole::leaf;
  add_extension(certificate, issuer, NID_basic_constraints, constraints);
  add_extension(certificate, issuer, NID_key_usage,
                is_leaf ? "critical,digitalSignature" : "critical,keyCertSign,cRLSign");
  if (is_leaf) add_extension(certificate, issuer, NID_ext_key_usage, "serverAuth");
  add_extension(certificate, issuer, NID_subject_key_identifier, "hash");
  if (role != CertificateRole::root) {
    add_extension(certificate, issuer, NID_authority_key_identifier, "keyid:always");
  }
}

// An OCTET STRING of 32 bytes, critical. Source: RFC 8737 §3.
void add_acme_identifier(X509* certificate, std::string_view digest) {
  const int kind = OBJ_txt2nid("1.3.6.1.5.5.7.1.31") != NID_undef
                       ? OBJ_txt2nid("1.3.6.1.5.5.7.1.31")
                       : OBJ_create("1.3.6.1.5.5.7.1.31", "acmeIdentifier", "ACME identifier");
  const std::string value = std::string("\x04\x20", 2) + std::string(digest);
  ASN1_OCTET_STRING* const octets = ASN1_OCTET_STRING_new();
  ASN1_OCTET_STRING_set(octets, reinterpret_cast<const unsigned char*>(value.data()),
                        static_cast<int>(value.size()));
  const ExtensionPointer extension(X509_EXTENSION_create_by_NID(nullptr, kind, 1, octets));
  ASN1_OCTET_STRING_free(octets);
  check(extension != nullptr && X509_add_ext(certificate, extension.get(), -1) == 1,
        "add the ACME identifier");
}

void set_common_name(X509* certificate, const std::string& common_name) {
  if (common_name.empty()) return;
  const auto* text = reinterpret_cast<const unsigned char*>(common_name.data());
  check(X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_UTF8, text,
                                   static_cast<int>(common_name.size()), -1, 0) == 1,
        "set the subject");
}

bool is_signed_by(X509* certificate, X509* issuer) {
  return X509_check_issued(issuer, certificate) == X509_V_OK &&
         X509_verify(certificate, X509_get0_pubkey(issuer)) == 1;
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > label_bytes_max) return false;
  if (label.front() == '-' || label.back() == '-') return false;
  constexpr std::string_view allowed =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";
  return label.find_first_not_of(allowed) == std::string_view::npos;
}

}  // namespace

MadeCertificate make_certificate(const CertificateRequest& request,
                                 const net::CertificateData* issuer) {
  const net::KeyPointer key = make_p256_key();
  const net::CertificatePointer made(X509_new());
  check(made != nullptr, "make a certificate");
  X509* const certificate = made.get();
  X509* const signer = issuer == nullptr ? certificate : issuer->leaf.get();
  check(X509_set_version(certificate, X509_VERSION_3) == 1, "set the version");
  set_serial(certificate);
  ASN1_TIME_set(X509_getm_notBefore(certificate), request.not_before);
  ASN1_TIME_set(X509_getm_notAfter(certificate), request.not_after);
  check(X509_set_pubkey(certificate, key.get()) == 1, "set the key");
  set_common_name(certificate, request.common_name);
  check(X509_set_issuer_name(certificate, X509_get_subject_name(signer)) == 1, "set the issuer");
  add_role(certificate, signer, request.role);
  if (!request.names.empty()) add_names(certificate, request.names);
  if (!request.acme_identifier.empty()) add_acme_identifier(certificate, request.acme_identifier);
  EVP_PKEY* const signing_key = issuer == nullptr ? key.get() : issuer->key.get();
  check(X509_sign(certificate, signing_key, EVP_sha256()) > 0, "sign a certificate");
  return {pem_of(certificate), pem_of(key.get())};
}

bool chains_to(const net::CertificateData& certificate, const net::CertificateData& root) {
  X509* subject = certificate.leaf.get();
  bool holds = true;
  for (const net::CertificatePointer& issuer : certificate.chain) {
    holds = holds && is_signed_by(subject, issuer.get());
    subject = issuer.get();
  }
  holds = holds && is_signed_by(subject, root.leaf.get());
  ERR_clear_error();
  return holds;
}

std::string certificate_pem(const net::CertificateData& certificate) {
  return pem_of(certificate.leaf.get());
}

bool is_certificate_name(const std::string& name) {
  if (IpAddress::parse(name)) return true;
  std::string_view rest = name;
  if (rest.starts_with("*.")) rest.remove_prefix(2);
  if (rest.empty() || name.size() > name_bytes_max) return false;
  while (!rest.empty()) {
    const std::size_t dot = rest.find('.');
    if (!is_label(rest.substr(0, dot)) || dot == rest.size() - 1) return false;
    rest.remove_prefix(dot == std::string_view::npos ? rest.size() : dot + 1);
  }
  return true;
}

}  // namespace portero::acme
