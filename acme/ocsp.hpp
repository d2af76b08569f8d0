// What an authority says of a certificate after it has issued it.
// Thread: any (pure). Source: RFC 6960.
#pragma once

#include <ctime>
#include <string>

#include "net/certificate_store.hpp"

namespace portero::acme {

enum class OcspStatus : std::uint8_t { good, revoked, unknown };

struct OcspAnswer {
  OcspStatus status = OcspStatus::unknown;
  std::time_t this_update = 0;
  std::time_t next_update = 0;  // this_update and a day when the responder does not say
  std::string reason;           // of a revocation; "" when none is given
};

// The responder that the certificate names; "" when it names none, or its issuer is not known.
std::string ocsp_url(const net::CertificateData& certificate);
// Throws std::runtime_error with OpenSSL's reason.
std::string make_ocsp_request(const net::CertificateData& certificate);
// Reads and verifies a response. Errors: a sentence; among them a response that is too old or was
// signed by somebody else.
Explained<OcspAnswer> read_ocsp_answer(std::string_view der,
                                       const net::CertificateData& certificate, std::time_t now);

}  // namespace portero::acme
