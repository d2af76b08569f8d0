// What an ACME server says when it refuses, in words that help.
// Thread: any (pure). Source: RFC 8555 §6.7, RFC 7807.
#pragma once

#include <chrono>
#include <ctime>
#include <stdexcept>
#include <string>
#include <string_view>

#include "acme/http_client.hpp"

namespace portero::acme {

// A request or an order that failed. what() is a sentence for people: what the server said and,
// where known, what to change.
class AcmeFailure : public std::runtime_error {
 public:
  explicit AcmeFailure(const std::string& text, std::string type_name = {},
                       std::chrono::seconds wait = {})
      : std::runtime_error(text), type(std::move(type_name)), retry_after(wait) {}

  std::string type;                  // "rateLimited"; "" when the server gave none
  std::chrono::seconds retry_after;  // what the server asks for; 0 = nothing

  // Another way of proving the same name may succeed where this one did not.
  bool is_validation() const noexcept;
};

// The failure that an answer with a problem document (or with any other error status) stands for.
AcmeFailure failure_of(const HttpResponse& response, std::string_view url, std::time_t now);
// The same for the `error` member of a challenge or an order, as JSON text.
AcmeFailure failure_of_error(std::string_view problem_json, std::string_view what);

// The value of Retry-After, seconds or a date; 0 when there is none. Source: RFC 9110 §10.2.3.
std::chrono::seconds retry_after_of(const HttpResponse& response, std::time_t now);

}  // namespace portero::acme
