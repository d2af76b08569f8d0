#include "acme/ocsp.hpp"

#include <memory>

#include <fmt/format.h>
#include <openssl/err.h>
#include <openssl/ocsp.h>

#include "acme/openssl_parts.hpp"

namespace portero::acme {
namespace {

constexpr std::time_t clock_skew_max = 300;
constexpr std::time_t day = 24 * 3600;

struct FreeRequest {
  void operator()(OCSP_REQUEST* request) const noexcept { OCSP_REQUEST_free(request); }
};
struct FreeResponse {
  void operator()(OCSP_RESPONSE* response) const noexcept { OCSP_RESPONSE_free(response); }
};
struct FreeBasic {
  void operator()(OCSP_BASICRESP* response) const noexcept { OCSP_BASICRESP_free(response); }
};
struct FreeId {
  void operator()(OCSP_CERTID* id) const noexcept { OCSP_CERTID_free(id); }
};
struct FreeStore {
  void operator()(X509_STORE* store) const noexcept { X509_STORE_free(store); }
};
using IdPointer = std::unique_ptr<OCSP_CERTID, FreeId>;

std::time_t unix_time(const ASN1_GENERALIZEDTIME* time) {
  std::tm parts{};
  if (time == nullptr || ASN1_TIME_to_tm(time, &parts) != 1) return 0;
  return ::timegm(&parts);
}

IdPointer id_of(const net::CertificateData& certificate) {
  return IdPointer(
      OCSP_cert_to_id(nullptr, certificate.leaf.get(), certificate.chain.front().get()));
}

// The issuer itself, or somebody whom it has made a responder. Source: RFC 6960 §4.2.2.2.
bool is_signed_well(OCSP_BASICRESP* response, const net::CertificateData& certificate) {
  const std::unique_ptr<X509_STORE, FreeStore> store(X509_STORE_new());
  X509_STORE_add_cert(store.get(), certificate.chain.front().get());
  X509_STORE_set_flags(store.get(), X509_V_FLAG_PARTIAL_CHAIN);
  STACK_OF(X509)* const issuers = sk_X509_new_null();
  sk_X509_push(issuers, certificate.chain.front().get());
  const bool is_good = OCSP_basic_verify(response, issuers, store.get(), 0) == 1;
  sk_X509_free(issuers);
  ERR_clear_error();
  return is_good;
}

}  // namespace

std::string ocsp_url(const net::CertificateData& certificate) {
  if (certificate.chain.empty()) return {};
  STACK_OF(OPENSSL_STRING)* const urls = X509_get1_ocsp(certificate.leaf.get());
  std::string url;
  if (sk_OPENSSL_STRING_num(urls) > 0) url = sk_OPENSSL_STRING_value(urls, 0);
  X509_email_free(urls);
  return url;
}

std::string make_ocsp_request(const net::CertificateData& certificate) {
  const std::unique_ptr<OCSP_REQUEST, FreeRequest> request(OCSP_REQUEST_new());
  IdPointer id = id_of(certificate);
  check(id != nullptr && OCSP_request_add0_id(request.get(), id.get()) != nullptr,
        "make an OCSP request");
  id.release();
  unsigned char* der = nullptr;
  const int size = i2d_OCSP_REQUEST(request.get(), &der);
  check(size > 0, "write an OCSP request");
  std::string out(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return out;
}

Explained<OcspAnswer> read_ocsp_answer(std::string_view der,
                                       const net::CertificateData& certificate, std::time_t now) {
  const auto* bytes = reinterpret_cast<const unsigned char*>(der.data());
  const std::unique_ptr<OCSP_RESPONSE, FreeResponse> response(
      d2i_OCSP_RESPONSE(nullptr, &bytes, static_cast<long>(der.size())));
  ERR_clear_error();
  if (response == nullptr) return std::string("the answer is no OCSP response");
  const int outcome = OCSP_response_status(response.get());
  if (outcome != OCSP_RESPONSE_STATUS_SUCCESSFUL) {
    return fmt::format("the responder says: {}", OCSP_response_status_str(outcome));
  }
  const std::unique_ptr<OCSP_BASICRESP, FreeBasic> basic(OCSP_response_get1_basic(response.get()));
  if (basic == nullptr || !is_signed_well(basic.get(), certificate)) {
    return std::string("the response is not signed by the certificate's issuer");
  }
  const IdPointer id = id_of(certificate);
  int status = 0;
  int reason = -1;
  ASN1_GENERALIZEDTIME* revoked = nullptr;
  ASN1_GENERALIZEDTIME* from = nullptr;
  ASN1_GENERALIZEDTIME* until = nullptr;
  if (OCSP_resp_find_status(basic.get(), id.get(), &status, &reason, &revoked, &from, &until) !=
      1) {
    return std::string("the response is about another certificate");
  }
  OcspAnswer answer;
  answer.this_update = unix_time(from);
  answer.next_update = until == nullptr ? answer.this_update + day : unix_time(until);
  if (answer.this_update > now + clock_skew_max) {
    return std::string("by this machine's clock the response is from the future; set the clock");
  }
  if (answer.next_update <= now) return std::string("the response is too old");
  answer.status = status == V_OCSP_CERTSTATUS_GOOD      ? OcspStatus::good
                  : status == V_OCSP_CERTSTATUS_REVOKED ? OcspStatus::revoked
                                                        : OcspStatus::unknown;
  if (reason >= 0) answer.reason = OCSP_crl_reason_str(reason);
  return answer;
}

}  // namespace portero::acme
