// The head of a CGI answer, as PHP-FPM sends it on stdout: header lines up to an empty one, with
// the status in `Status:`.
// Pure: no socket, no clock, no log. Thread: owner's. Source: RFC 3875 §6.
#pragma once

#include <optional>
#include <string_view>

#include "base/buffer.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

namespace portero::proxy {

constexpr std::size_t cgi_head_bytes_max = 64 * 1024;

class CgiHeadParser {
 public:
  // Takes what came on stdout. Returns the number of bytes that belong to the head once it is
  // complete (the rest of `piece` is body), nothing while it is not. Then `response` has the status
  // and the fields that may be passed on, as views into `arena`.
  // Errors: bad_upstream_response; detail() says what is wrong.
  // Limits: cgi_head_bytes_max, http::fields_max.
  Result<std::optional<std::size_t>> take(Bytes piece, http::Response& response, Arena& arena);

  // What was wrong, for the log and the client. A constant.
  std::string_view detail() const noexcept { return detail_; }
  // Content-Length as the script set it, if it did.
  std::optional<std::uint64_t> content_length() const noexcept { return content_length_; }
  // The script asks that its answer is passed on as it comes (X-Accel-Buffering: no).
  bool wants_no_buffering() const noexcept { return no_buffering_; }
  // The file that shall be sent instead of the body (X-Accel-Redirect, X-Sendfile), or "".
  std::string_view file() const noexcept { return file_; }
  bool complete() const noexcept { return complete_; }

 private:
  Error fail(std::string_view detail) noexcept {
    detail_ = detail;
    return Errc::bad_upstream_response;
  }
  Result<> parse(std::string_view head, http::Response& response);
  Result<> take_line(std::string_view line, http::Response& response);
  Result<> take_field(const http::Field& field, http::Response& response);

  Buffer text_;  // of the head, while it is not complete
  std::size_t bytes_ = 0;
  bool line_is_empty_ = true;  // of the line that the next byte belongs to
  bool complete_ = false;
  bool has_status_ = false;
  bool no_buffering_ = false;
  std::optional<std::uint64_t> content_length_;
  std::string_view file_;
  std::string_view detail_;
};

}  // namespace portero::proxy
