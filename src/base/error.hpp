// The one error table. Every failure of the data plane is an Errc; what it means for the other
// side (HTTP status, WebSocket close code), whether a request may be tried again and how loud the
// log is, stands in one row of error_table in error.cpp.
// Thread: any (constant data).
#pragma once

#include <cstdint>
#include <string_view>

namespace portero {

enum class Errc : std::uint8_t {
  ok,
  would_block,       // not a failure: the operation would have to wait
  cancelled,         // this side gave up (shutdown, the other half failed)
  end_of_stream,     // the peer closed in the middle of something
  connection_reset,  // RST or a socket error while reading or writing
  connection_refused,
  host_unreachable,
  name_not_found,        // the upstream's name does not resolve
  too_many_descriptors,  // EMFILE/ENFILE
  timeout_handshake,
  timeout_head,
  timeout_body,
  timeout_write,
  timeout_idle,
  timeout_connect,
  timeout_response,  // no first byte from the upstream
  tls_handshake,
  tls_protocol,
  tls_certificate,  // the upstream's certificate was not accepted
  bad_request,      // malformed HTTP from the client
  bad_framing,      // ambiguous body framing from the client
  bad_host,
  header_too_large,
  uri_too_long,
  body_too_large,
  not_implemented,  // unknown transfer coding
  version_not_supported,
  expectation_failed,
  bad_upstream_response,  // malformed HTTP from the upstream
  upstream_truncated,     // the upstream ended inside a body
  upstream_pool_full,
  stream_reset,  // HTTP/2 RST_STREAM from the peer
  http2_protocol,
  flood,  // too many cheap frames, resets, fragments, …
  websocket_protocol,
  websocket_not_text,  // invalid UTF-8 in a text message
  message_too_large,
  slow_consumer,
  bad_json,
  unauthorized,
  internal,
  count_  // not an error: the number of rows
};

enum class Side : std::uint8_t { none, client, upstream, internal };
enum class Retry : std::uint8_t {
  never,
  reused_only,  // only when the connection had served before and no byte of an answer came
  always        // nothing was sent
};
enum class LogLevel : std::uint8_t { debug, info, warn, error, off };

struct ErrorInfo {
  std::string_view name;  // dotted, for logs and metrics: "timeout.head"
  std::string_view text;  // for people
  Side side;
  Retry retry;
  std::uint16_t http_status;  // 0: close without an answer
  std::uint16_t close_code;   // RFC 6455 §7.4
  LogLevel level;
};

const ErrorInfo& error_info(Errc code) noexcept;

// An Errc and, where the kernel reported it, errno.
struct Error {
  Errc code = Errc::internal;
  int os_error = 0;

  constexpr Error(Errc c = Errc::internal, int os = 0) noexcept  // implicit by intent
      : code(c), os_error(os) {}
  const ErrorInfo& info() const noexcept { return error_info(code); }
  friend constexpr bool operator==(const Error& a, Errc b) noexcept { return a.code == b; }
};

// Maps errno of a socket call. Errors: would_block for EAGAIN, connection_reset by default: also
// for ETIMEDOUT, with which the kernel gives up on a peer that was connected; dial() knows it
// better.
Error error_from_errno(int os_error) noexcept;

}  // namespace portero
