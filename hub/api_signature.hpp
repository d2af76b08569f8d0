// The signature of an API request, as the Pusher HTTP API asks for it:
//   auth_signature = hex(HMAC-SHA256(secret, METHOD "\n" path "\n" parameters))
// where parameters are all of the query but auth_signature, decoded, sorted, joined by "&". The
// body counts through its parameter body_md5, so a signature is checked before a body is read.
//
// Every fault is told in words that help whoever set the application up, without a secret in them.
// Pure. Thread: any.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "hub/api_query.hpp"
#include "hub/app.hpp"

namespace portero::hub {

constexpr std::int64_t auth_timestamp_seconds_max = 600;  // off the clock, either way

struct SignedRequest {
  std::string_view method;  // as sent: "POST"
  // The clients sign "/apps/…" without a prefix that the site puts before it, and some sign what
  // they would decode: any of these may be the signed one. Empty ones are skipped.
  std::string_view path;          // from "/apps/" on, as sent
  std::string_view whole_path;    // as sent
  std::string_view decoded_path;  // from "/apps/" on, decoded
  const ApiQuery& query;
};

// Checks key, version, timestamp and signature. Returns what is wrong, "" when nothing is.
std::string find_signature_fault(const App& app, const SignedRequest& request,
                                 std::int64_t now_unix_ms);

// Checks the body against the parameter body_md5, which a request with a body must have.
std::string find_body_fault(const ApiQuery& query, std::string_view body);

}  // namespace portero::hub
