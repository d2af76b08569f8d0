// OriginRule: which web pages may open a socket (cross-site hijacking, RFC 6455 §10.2). Only the
// host of the Origin counts; scheme and port do not. "*" in a pattern stands for any characters.
// A missing Origin (native clients) is accepted only by the pattern "*".
// Thread: any (values).
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace portero::hub {

class OriginRule {
 public:
  OriginRule() = default;  // accepts nothing
  explicit OriginRule(const std::vector<std::string>& patterns);

  // `origin` is the field's value, "" when the request has none.
  bool accepts(std::string_view origin) const;

 private:
  bool accepts_all_ = false;
  std::vector<std::string> patterns_;  // lower case
};

// The host of an Origin, without scheme and port: "https://laravel.com:8443" → "laravel.com".
std::string_view origin_host(std::string_view origin) noexcept;

// Whether `text` matches `pattern`, in which "*" stands for any characters, also none. Time is at
// most the product of both lengths.
bool matches_wildcard(std::string_view pattern, std::string_view text) noexcept;

}  // namespace portero::hub
