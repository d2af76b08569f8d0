// Small pieces of OpenSSL that certificates, requests for them and account keys have in common.
// Thread: control and the ACME threads. Throws std::runtime_error with OpenSSL's reason.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <openssl/bio.h>
#include <openssl/x509v3.h>

#include "net/certificate_store.hpp"

namespace portero::acme {

struct FreeBio {
  void operator()(BIO* bio) const noexcept { BIO_free(bio); }
};
struct FreeNames {
  void operator()(GENERAL_NAMES* names) const noexcept { GENERAL_NAMES_free(names); }
};
struct FreeExtension {
  void operator()(X509_EXTENSION* extension) const noexcept { X509_EXTENSION_free(extension); }
};
using BioPointer = std::unique_ptr<BIO, FreeBio>;
using NamesPointer = std::unique_ptr<GENERAL_NAMES, FreeNames>;
using ExtensionPointer = std::unique_ptr<X509_EXTENSION, FreeExtension>;

// Throws "cannot <what>: <OpenSSL's reason>" unless `done`.
void check(bool done, const char* what);

net::KeyPointer make_p256_key();
std::string pem_of(X509* certificate);
std::string pem_of(EVP_PKEY* key);  // PKCS #8, not encrypted
net::KeyPointer key_from_pem(std::string_view pem);

// The entries of a subjectAltName: DNS names and IP addresses.
NamesPointer alternative_names(const std::vector<std::string>& names);

std::string sha256(std::string_view bytes);  // 32 bytes

}  // namespace portero::acme
