// `basic_auth`: a name and a password before the route answers (RFC 7617).
// Thread: the worker's. Owner: the route.
#pragma once

#include <string>
#include <vector>

#include "conf/config.hpp"
#include "proxy/gate.hpp"
#include "proxy/password_check.hpp"

namespace portero::proxy {

class BasicAuthGate final : public Gate {
 public:
  BasicAuthGate(const conf::BasicAuth& settings, PasswordDesk& desk);

  // 401 without the right name and password; 503 while too many are being checked. Sets
  // request.user; Authorization goes on to the application.
  Task<Result<bool>> admit(http::Exchange& exchange) override;

 private:
  Task<PasswordVerdict> check(std::string_view user, std::string_view password) const;
  Task<Result<bool>> challenge(http::Exchange& exchange) const;

  std::vector<std::pair<std::string, std::string>> users_;
  std::string decoy_;
  std::string challenge_;
  Milliseconds remember_max_;
  PasswordDesk& desk_;
};

}  // namespace portero::proxy
