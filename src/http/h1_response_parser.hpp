// Response heads of HTTP/1.x, as the proxy reads them from an upstream: bytes in a Buffer become
// the views of a Response. As strict as the request side: an answer that could be read in two ways
// is not passed on.
// Pure: no socket, no clock, no log. Thread: owner's. Source: RFC 9112 §4-§6.
#pragma once

#include <string_view>

#include "base/arena.hpp"
#include "base/buffer.hpp"
#include "base/result.hpp"
#include "http/h1_body.hpp"
#include "http/h1_scanner.hpp"
#include "http/message.hpp"

namespace portero::http {

constexpr std::size_t response_header_bytes_max = 64 * 1024;

// Parses the response heads to one request: any number of 1xx (the caller bounds it), then the
// final one. After a 1xx call next() again with a cleared or another Response.
class H1ResponseParser {
 public:
  // `request_method` decides whether a body follows.
  explicit H1ResponseParser(Method request_method) noexcept : method_(request_method) {}

  // Takes a whole head from the front of `in`. On `complete`, `response` has status, headers as
  // sent (framing and connection fields included), and in body and content_length what the head
  // announces, also for HEAD and 304: that is what a proxy passes on.
  // Errors: bad_upstream_response for anything malformed, too large or ambiguous.
  // Limits: response_header_bytes_max, fields_max.
  Result<HeadState> next(Buffer& in, Response& response, Arena& arena);

  // How to read the body that really follows, for H1BodyDecoder; after `complete`.
  BodyFraming framing() const noexcept { return framing_; }
  // Whether the connection may serve again once the body was read to its end and nothing follows.
  bool keep_alive() const noexcept { return keep_alive_; }
  Version version() const noexcept { return version_; }
  std::string_view reason() const noexcept { return reason_; }  // in the arena
  // What was wrong, for the log. A constant; empty when no error was returned.
  std::string_view detail() const noexcept { return detail_; }
  // Whether any byte of an answer has arrived: a retry is out of the question then.
  bool started() const noexcept { return started_; }

 private:
  Error fail(std::string_view detail) noexcept {
    detail_ = detail;
    return Errc::bad_upstream_response;
  }
  Result<> parse(std::string_view head, Response& response);
  Result<> parse_status_line(std::string_view line, Response& response) noexcept;
  Result<> decide_body(Response& response) noexcept;

  Method method_;
  Version version_ = Version::http_1_1;
  bool keep_alive_ = false;
  bool started_ = false;
  BodyFraming framing_;
  H1LineScanner scanner_{response_header_bytes_max};
  std::string_view reason_;
  std::string_view detail_;
};

}  // namespace portero::http
