#include "acme/csr.hpp"

#include <memory>

#include <openssl/x509.h>

#include "acme/openssl_parts.hpp"

namespace portero::acme {
namespace {

struct FreeRequest {
  void operator()(X509_REQ* request) const noexcept { X509_REQ_free(request); }
};
struct FreeExtensions {
  void operator()(STACK_OF(X509_EXTENSION) * list) const noexcept {
    sk_X509_EXTENSION_pop_free(list, X509_EXTENSION_free);
  }
};

}  // namespace

std::string make_csr(const std::vector<std::string>& names, const std::string& key_pem) {
  const net::KeyPointer key = key_from_pem(key_pem);
  const std::unique_ptr<X509_REQ, FreeRequest> request(X509_REQ_new());
  check(request != nullptr && X509_REQ_set_version(request.get(), X509_REQ_VERSION_1) == 1 &&
            X509_REQ_set_pubkey(request.get(), key.get()) == 1,
        "make a certificate request");
  STACK_OF(X509_EXTENSION)* list = nullptr;
  const NamesPointer alternatives = alternative_names(names);
  check(
      X509V3_add1_i2d(&list, NID_subject_alt_name, alternatives.get(), 0, X509V3_ADD_DEFAULT) == 1,
      "add the names");
  const std::unique_ptr<STACK_OF(X509_EXTENSION), FreeExtensions> extensions(list);
  check(X509_REQ_add_extensions(request.get(), list) == 1 &&
            X509_REQ_sign(request.get(), key.get(), EVP_sha256()) > 0,
        "sign the certificate request");
  unsigned char* der = nullptr;
  const int size = i2d_X509_REQ(request.get(), &der);
  check(size > 0, "write the certificate request");
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

std::string make_key_pem() { return pem_of(make_p256_key().get()); }

}  // namespace portero::acme
