// `strip_prefix` and `rewrite`: changing the path that inner routes and the handler see.
// Both keep request.target, path, raw_path and query telling the same story, whatever was encoded.
// Thread: immutable; any. Owner: the route.
#pragma once

#include <string>

#include "proxy/placeholder.hpp"
#include "proxy/route.hpp"

namespace portero::proxy {

// Takes a prefix off paths that have it as whole segments: /api of /api/x and /api, not of /apis.
class StripPrefix final : public RequestStep {
 public:
  explicit StripPrefix(std::string_view prefix);
  Result<> apply(http::Exchange& exchange) const override;

 private:
  std::string prefix_;  // without a slash at its end
};

// Sets a new path, and a new query if the text has a "?".
class Rewrite final : public RequestStep {
 public:
  explicit Rewrite(std::string_view text) : text_(text) {}
  Result<> apply(http::Exchange& exchange) const override;

 private:
  Template text_;
};

}  // namespace portero::proxy
