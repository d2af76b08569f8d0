// What happened to a certificate, for the hooks of the user.
// Thread: any (values).
#pragma once

#include <ctime>
#include <functional>
#include <string>

namespace portero::acme {

struct Event {
  std::string kind;  // certificate_obtained, certificate_failed, certificate_expires,
                     // certificate_revoked
  std::string name;
  std::string issuer;
  std::string text;           // the error, or what to do
  std::time_t not_after = 0;  // of the certificate in use; 0 = there is none
  std::time_t next_try = 0;
};

using OnEvent = std::function<void(const Event&)>;

}  // namespace portero::acme
