// Request heads of HTTP/1.x: bytes in a Buffer become the views of a Request.
// A head is scanned as it arrives, copied once into the arena and taken apart there, so no view
// depends on the connection's buffer. Everything is strict: no folded lines, no space before a
// colon, one Host, one way to tell how the body ends.
// Pure: no socket, no clock, no log. Thread: owner's. Source: RFC 9112 §2-§6.
#pragma once

#include <string_view>

#include "base/arena.hpp"
#include "base/buffer.hpp"
#include "base/result.hpp"
#include "http/h1_scanner.hpp"
#include "http/message.hpp"

namespace portero::http {

constexpr std::size_t method_bytes_max = 32;
constexpr std::size_t target_bytes_max = 8 * 1024;
constexpr std::size_t request_line_bytes_max =
    method_bytes_max + 1 + target_bytes_max + 1 + sizeof("HTTP/1.1") - 1;

// Parses one request head; a new parser for each request.
class H1RequestParser {
 public:
  // Takes a whole head from the front of `in`; what follows it stays there. On `complete` every
  // member of `request` is filled but scheme, client_ip, trusted_peer and trailers. Otherwise
  // nothing in `request` is to be used.
  // Errors: bad_request, bad_framing, bad_host, header_too_large, uri_too_long, not_implemented,
  //   version_not_supported, expectation_failed. After an error the connection must be closed.
  // Limits: header_bytes_max, fields_max, target_bytes_max, method_bytes_max.
  Result<HeadState> next(Buffer& in, Request& request, Arena& arena);

  // What was wrong, for people: "Host is missing". A constant; empty when no error was returned.
  std::string_view detail() const noexcept { return detail_; }
  // Whether a request has begun to arrive (an empty line before it does not count).
  bool started() const noexcept { return started_; }

 private:
  Error fail(Errc code, std::string_view detail) noexcept {
    detail_ = detail;
    return code;
  }
  Result<HeadState> scan(Buffer& in) noexcept;
  Result<> parse(std::string_view head, Request& request, Arena& arena);
  Result<> parse_request_line(std::string_view line, Request& request);
  Result<> parse_target(std::string_view target, Request& request);
  Result<> parse_fields(std::string_view head, Request& request);
  Result<> check_host(Request& request);
  Result<> check_body(Request& request) noexcept;

  H1LineScanner scanner_{header_bytes_max, request_line_bytes_max};
  bool started_ = false;
  bool skipped_empty_line_ = false;
  bool lacks_path_ = false;  // "http://host?query": the path "/" is to be put before it
  std::string_view detail_;
};

// Whether the client lets the connection live on after this request. Source: RFC 9112 §9.3.
bool wants_keep_alive(const Request& request) noexcept;

}  // namespace portero::http
