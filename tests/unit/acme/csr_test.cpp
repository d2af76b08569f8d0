#include "acme/csr.hpp"

#include <memory>

#include <doctest/doctest.h>
#include <openssl/x509v3.h>

#include "acme/certificate.hpp"
#include "acme/challenge_board.hpp"
#include "acme/openssl_parts.hpp"

using namespace portero;
using namespace portero::acme;

namespace {

struct FreeRequest {
  void operator()(X509_REQ* request) const noexcept { X509_REQ_free(request); }
};

}  // namespace

TEST_CASE("csr: holds the names, an empty subject, and is signed by its key") {
  const std::string key_pem = make_key_pem();
  const std::string der =
      make_csr({"a.example", "*.b.example", "192.0.2.1", "2001:db8::1"}, key_pem);
  const auto* at = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<X509_REQ, FreeRequest> request(
      d2i_X509_REQ(nullptr, &at, static_cast<long>(der.size())));
  REQUIRE(request != nullptr);
  const net::KeyPointer key = key_from_pem(key_pem);
  CHECK(X509_REQ_verify(request.get(), key.get()) == 1);
  CHECK(X509_NAME_entry_count(X509_REQ_get_subject_name(request.get())) == 0);
  STACK_OF(X509_EXTENSION)* const extensions = X509_REQ_get_extensions(request.get());
  REQUIRE(sk_X509_EXTENSION_num(extensions) == 1);
  const NamesPointer names(
      static_cast<GENERAL_NAMES*>(X509V3_EXT_d2i(sk_X509_EXTENSION_value(extensions, 0))));
  sk_X509_EXTENSION_pop_free(extensions, X509_EXTENSION_free);
  REQUIRE(sk_GENERAL_NAME_num(names.get()) == 4);
  CHECK(sk_GENERAL_NAME_value(names.get(), 0)->type == GEN_DNS);
  CHECK(sk_GENERAL_NAME_value(names.get(), 2)->type == GEN_IPADD);
  CHECK(ASN1_STRING_length(sk_GENERAL_NAME_value(names.get(), 2)->d.iPAddress) == 4);
  CHECK(ASN1_STRING_length(sk_GENERAL_NAME_value(names.get(), 3)->d.iPAddress) == 16);
}

TEST_CASE("csr: the certificate for tls-alpn-01 has acmeIdentifier, critical, with the digest") {
  CertificateRequest request;
  request.names = {"a.example"};
  request.not_after = 2'000'000'000;
  request.acme_identifier = sha256("token.thumbprint");
  const MadeCertificate made = make_certificate(request, nullptr);
  const auto parsed = net::parse_certificate(made.certificate_pem, made.key_pem);
  REQUIRE(parsed);
  const X509* const leaf = (*parsed)->leaf.get();
  ASN1_OBJECT* const kind = OBJ_txt2obj("1.3.6.1.5.5.7.1.31", 1);
  const int index = X509_get_ext_by_OBJ(leaf, kind, -1);
  ASN1_OBJECT_free(kind);
  REQUIRE(index >= 0);
  X509_EXTENSION* const extension = X509_get_ext(leaf, index);
  CHECK(X509_EXTENSION_get_critical(extension) == 1);
  const ASN1_OCTET_STRING* const value = X509_EXTENSION_get_data(extension);
  const std::string bytes(reinterpret_cast<const char*>(ASN1_STRING_get0_data(value)),
                          static_cast<std::size_t>(ASN1_STRING_length(value)));
  CHECK(bytes == std::string("\x04\x20", 2) + sha256("token.thumbprint"));
}

TEST_CASE("challenge_board: addresses are asked for by their reverse name") {
  CHECK(challenge_server_name("a.example") == "a.example");
  CHECK(challenge_server_name("192.0.2.1") == "1.2.0.192.in-addr.arpa");
  CHECK(challenge_server_name("2001:db8::1") ==
        "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.b.d.0.1.0.0.2.ip6.arpa");
}
