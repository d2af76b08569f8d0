#include "acme/openssl_parts.hpp"

#include <stdexcept>

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "base/ip_address.hpp"

namespace portero::acme {
namespace {

std::string text_of(const BioPointer& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return {data, static_cast<std::size_t>(size)};
}

// One entry of a subjectAltName. Built by hand, not from OpenSSL's text form, in which a comma in
// a name would begin another name.
GENERAL_NAME* make_name(const std::string& name) {
  GENERAL_NAME* const entry = GENERAL_NAME_new();
  if (const std::optional<IpAddress> address = IpAddress::parse(name)) {
    const std::size_t skip = address->is_v4() ? 12 : 0;
    ASN1_OCTET_STRING* const octets = ASN1_OCTET_STRING_new();
    ASN1_OCTET_STRING_set(octets, address->bytes.data() + skip,
                          static_cast<int>(address->bytes.size() - skip));
    GENERAL_NAME_set0_value(entry, GEN_IPADD, octets);
  } else {
    ASN1_IA5STRING* const text = ASN1_IA5STRING_new();
    ASN1_STRING_set(text, name.data(), static_cast<int>(name.size()));
    GENERAL_NAME_set0_value(entry, GEN_DNS, text);
  }
  return entry;
}

}  // namespace

void check(bool done, const char* what) {
  if (done) return;
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  std::string text = std::string("cannot ") + what;
  if (reason != nullptr) text += std::string(": ") + reason;
  ERR_clear_error();
  throw std::runtime_error(text);
}

net::KeyPointer make_p256_key() {
  net::KeyPointer key(EVP_EC_gen("P-256"));
  check(key != nullptr, "make a key");
  return key;
}

std::string pem_of(X509* certificate) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_X509(bio.get(), certificate) == 1, "write a certificate");
  return text_of(bio);
}

std::string pem_of(EVP_PKEY* key) {
  const BioPointer bio(BIO_new(BIO_s_mem()));
  check(PEM_write_bio_PKCS8PrivateKey(bio.get(), key, nullptr, nullptr, 0, nullptr, nullptr) == 1,
        "write a key");
  return text_of(bio);
}

net::KeyPointer key_from_pem(std::string_view pem) {
  const BioPointer bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  net::KeyPointer key(PEM_read_bio_PrivateKey(bio.get(), nullptr, nullptr, nullptr));
  check(key != nullptr, "read a key");
  return key;
}

NamesPointer alternative_names(const std::vector<std::string>& names) {
  NamesPointer list(GENERAL_NAMES_new());
  for (const std::string& name : names) sk_GENERAL_NAME_push(list.get(), make_name(name));
  return list;
}

std::string sha256(std::string_view bytes) {
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned size = 0;
  check(EVP_Digest(bytes.data(), bytes.size(), reinterpret_cast<unsigned char*>(digest.data()),
                   &size, EVP_sha256(), nullptr) == 1,
        "compute SHA-256");
  digest.resize(size);
  return digest;
}

}  // namespace portero::acme
