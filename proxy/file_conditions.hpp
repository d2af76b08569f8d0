// Conditional requests for a file: If-Match, If-None-Match, If-Modified-Since, If-Range, …
// Pure. Thread: any. Source: RFC 9110 §13.
#pragma once

#include <cstdint>
#include <string_view>

#include "http/message.hpp"

namespace portero::proxy {

// What is known of the file as it would be sent.
struct Validators {
  std::string_view etag;  // strong
  std::int64_t modified_s = 0;
};

struct FileConditions {
  // The status that the conditions ask for: 200 (go on), 304 or 412.
  int status = 200;
  // The Range field, where it counts; "" where there is none, or If-Range names another version.
  std::string_view range;

  FileConditions(const http::Request& request, const Validators& file) noexcept;
};

}  // namespace portero::proxy
