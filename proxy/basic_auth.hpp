// `basic_auth`: a name and a password before the route answers (RFC 7617).
// Good passwords are remembered as a keyed digest, so that only the first request of a visitor pays
// for the hash; wrong ones are not.
// Thread: the worker's. Owner: the route.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "conf/config.hpp"
#include "proxy/gate.hpp"
#include "proxy/password_check.hpp"

namespace portero::proxy {

class BasicAuthGate final : public Gate {
 public:
  static constexpr std::size_t remembered_max = 1'024;

  BasicAuthGate(const conf::BasicAuth& settings, PasswordDesk& desk);

  // 401 without the right name and password; 503 while too many are being checked. Sets
  // request.user; Authorization goes on to the application.
  Task<Result<bool>> admit(http::Exchange& exchange) override;

 private:
  enum class Verdict : std::uint8_t { right, wrong, busy };
  Task<Verdict> check(std::string_view user, std::string_view password, std::string digest);
  bool remembers(const std::string& digest) const;
  Task<Result<bool>> challenge(http::Exchange& exchange) const;

  std::vector<std::pair<std::string, std::string>> users_;
  std::string decoy_;
  std::string challenge_;
  std::int64_t remembered_ms_;
  std::string digest_key_;
  std::unordered_map<std::string, std::int64_t> remembered_;  // and until when
  std::unordered_map<std::string, PasswordQuestionPointer> open_;
  PasswordDesk& desk_;
};

}  // namespace portero::proxy
