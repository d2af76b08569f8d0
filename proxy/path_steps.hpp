// `strip_prefix`, `rewrite` and `try_files`: changing the path that inner routes and the handler
// see. Both keep request.target, path, raw_path and query telling the same story, whatever was
// encoded. Thread: immutable; any. Owner: the route.
#pragma once

#include <string>

#include "proxy/file_lookup.hpp"
#include "proxy/placeholder.hpp"
#include "proxy/route.hpp"

namespace portero::proxy {

// Takes a prefix off paths that have it as whole segments: /api of /api/x and /api, not of /apis.
class StripPrefix final : public RequestStep {
 public:
  explicit StripPrefix(std::string_view prefix);
  int apply(http::Exchange& exchange) const override;

 private:
  std::string prefix_;  // without a slash at its end
};

// Sets a new path, and a new query if the text has a "?".
class Rewrite final : public RequestStep {
 public:
  explicit Rewrite(std::string_view text) : text_(text) {}
  int apply(http::Exchange& exchange) const override;

 private:
  Template text_;
};

// Sets the path to the first file that is there; leaves it alone when none is.
class TryFiles final : public RequestStep {
 public:
  TryFiles(std::string_view root, const std::vector<std::string>& candidates)
      : lookup_(root, candidates) {}
  int apply(http::Exchange& exchange) const override;

 private:
  FileLookup lookup_;
};

}  // namespace portero::proxy
