#include "base/error.hpp"

#include <array>
#include <cerrno>

#include "base/assert.hpp"

namespace portero {
namespace {

using enum Side;
using enum LogLevel;
constexpr Retry never = Retry::never;
constexpr Retry reused = Retry::reused_only;
constexpr Retry always = Retry::always;

struct Row {
  Errc code;
  ErrorInfo info;
};

// code, {name, text, side, retry, HTTP status, close code, log level}
constexpr std::array error_table = {
    Row{Errc::ok, {"ok", "no error", none, never, 200, 1000, debug}},
    Row{Errc::would_block, {"would_block", "would block", none, never, 500, 1011, debug}},
    Row{Errc::cancelled, {"cancelled", "cancelled", internal, never, 503, 1001, debug}},
    Row{Errc::end_of_stream, {"closed", "the peer closed", none, reused, 502, 1006, debug}},
    Row{Errc::connection_reset, {"reset", "connection reset", none, reused, 502, 1006, debug}},
    Row{Errc::connection_refused,
        {"connect.refused", "connection refused", upstream, always, 502, 1011, warn}},
    Row{Errc::host_unreachable,
        {"connect.unreachable", "host unreachable", upstream, always, 502, 1011, warn}},
    Row{Errc::name_not_found,
        {"connect.name", "the name does not resolve", upstream, always, 502, 1011, warn}},
    Row{Errc::too_many_descriptors,
        {"descriptors", "too many open files; raise LimitNOFILE", internal, always, 503, 1013,
         error}},
    Row{Errc::timeout_handshake,
        {"timeout.handshake", "TLS handshake took too long", client, never, 0, 1002, debug}},
    Row{Errc::timeout_head,
        {"timeout.head", "request head took too long", client, never, 408, 1002, debug}},
    Row{Errc::timeout_body,
        {"timeout.body", "request body made no progress", client, never, 408, 1002, info}},
    Row{Errc::timeout_write,
        {"timeout.write", "the client stopped reading", client, never, 0, 1006, info}},
    Row{Errc::timeout_idle, {"timeout.idle", "idle for too long", client, never, 0, 1001, debug}},
    Row{Errc::timeout_connect,
        {"timeout.connect", "upstream took too long to connect", upstream, always, 504, 1011,
         warn}},
    Row{Errc::timeout_response,
        {"timeout.response", "upstream took too long to answer", upstream, never, 504, 1011, warn}},
    Row{Errc::tls_handshake,
        {"tls.handshake", "TLS handshake failed", client, always, 502, 1002, debug}},
    Row{Errc::tls_protocol, {"tls.protocol", "TLS error", none, never, 502, 1006, debug}},
    Row{Errc::tls_certificate,
        {"tls.certificate", "upstream certificate not accepted", upstream, always, 502, 1011,
         error}},
    Row{Errc::bad_request, {"request.malformed", "bad request", client, never, 400, 1002, info}},
    Row{Errc::bad_framing,
        {"request.framing", "ambiguous body length", client, never, 400, 1002, info}},
    Row{Errc::bad_host, {"request.host", "missing or bad Host", client, never, 400, 1002, info}},
    Row{Errc::header_too_large,
        {"request.header_size", "header fields too large", client, never, 431, 1009, info}},
    Row{Errc::uri_too_long,
        {"request.uri_size", "request target too long", client, never, 414, 1009, info}},
    Row{Errc::body_too_large,
        {"request.body_size", "request body too large", client, never, 413, 1009, info}},
    Row{Errc::not_implemented,
        {"request.coding", "unknown transfer coding", client, never, 501, 1002, info}},
    Row{Errc::version_not_supported,
        {"request.version", "HTTP version not supported", client, never, 505, 1002, info}},
    Row{Errc::expectation_failed,
        {"request.expect", "unknown expectation", client, never, 417, 1002, info}},
    Row{Errc::bad_upstream_response,
        {"upstream.malformed", "upstream sent a malformed answer", upstream, never, 502, 1011,
         warn}},
    Row{Errc::upstream_truncated,
        {"upstream.truncated", "upstream ended inside its answer", upstream, never, 502, 1011,
         warn}},
    Row{Errc::upstream_pool_full,
        {"upstream.full", "all upstream connections are busy", internal, never, 503, 1013, warn}},
    Row{Errc::stream_reset,
        {"h2.stream_reset", "the client reset the stream", client, never, 0, 1006, debug}},
    Row{Errc::http2_protocol,
        {"h2.protocol", "HTTP/2 protocol error", client, never, 400, 1002, info}},
    Row{Errc::flood, {"flood", "too many cheap frames", client, never, 429, 1008, warn}},
    Row{Errc::websocket_protocol,
        {"ws.protocol", "WebSocket protocol error", client, never, 400, 1002, info}},
    Row{Errc::websocket_not_text,
        {"ws.utf8", "text message is not UTF-8", client, never, 400, 1007, info}},
    Row{Errc::message_too_large,
        {"ws.message_size", "Maximum message size exceeded", client, never, 413, 1009, info}},
    Row{Errc::slow_consumer,
        {"ws.slow_consumer", "too much unread data", client, never, 503, 1013, info}},
    Row{Errc::bad_json, {"json", "not valid JSON", client, never, 400, 1007, info}},
    Row{Errc::unauthorized,
        {"unauthorized", "signature or key not accepted", client, never, 401, 1008, info}},
    Row{Errc::internal, {"internal", "internal error", internal, never, 500, 1011, error}},
};

constexpr bool rows_in_order() {
  for (std::size_t i = 0; i < error_table.size(); ++i) {
    if (static_cast<std::size_t>(error_table[i].code) != i) return false;
  }
  return true;
}
static_assert(error_table.size() == static_cast<std::size_t>(Errc::count_));
static_assert(rows_in_order(), "one row per Errc, in the order of the enum");

}  // namespace

const ErrorInfo& error_info(Errc code) noexcept {
  const auto row = static_cast<std::size_t>(code);
  PORTERO_ASSERT(row < error_table.size());
  return error_table[row].info;
}

Error error_from_errno(int os_error) noexcept {
  switch (os_error) {
    case EAGAIN:
    case EINPROGRESS: return {Errc::would_block, os_error};
    case ECONNREFUSED:
    case ENOENT:  // unix socket that is not there
      return {Errc::connection_refused, os_error};
    case EHOSTUNREACH:
    case ENETUNREACH:
    case EADDRNOTAVAIL:
    case EACCES: return {Errc::host_unreachable, os_error};
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM: return {Errc::too_many_descriptors, os_error};
    default: return {Errc::connection_reset, os_error};
  }
}

}  // namespace portero
