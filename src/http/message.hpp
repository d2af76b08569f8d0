// Request and Response as every HTTP version delivers them. All views point into the Exchange's
// arena or into constants.
// Thread: owner's.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/ip_address.hpp"
#include "http/header_list.hpp"

namespace portero::http {

enum class Method : std::uint8_t {
  get,
  head,
  post,
  put,
  delete_,
  connect,
  options,
  trace,
  patch,
  other
};
enum class Version : std::uint8_t { http_1_0, http_1_1, http_2 };

Method identify_method(std::string_view text) noexcept;
// Whether a request may be repeated without asking. Source: RFC 9110 §9.2.2.
bool is_idempotent(Method method) noexcept;
std::string_view version_text(Version version) noexcept;  // "HTTP/1.1"
std::string_view reason_phrase(int status) noexcept;      // "" when unknown

// How a body ends.
enum class BodyKind : std::uint8_t {
  none,
  length,       // content_length bytes
  chunked,      // HTTP/1.1 chunked, or an HTTP/2 body without content-length
  until_close,  // only answers of HTTP/1.x upstreams
};

struct Request {
  explicit Request(Arena& arena) noexcept : headers(arena), trailers(arena) {}

  Method method = Method::get;
  Version version = Version::http_1_1;
  std::string_view method_text;
  std::string_view scheme;     // "http" or "https": of the connection, not what the client claims
  std::string_view authority;  // as sent: "Example.com:8443"
  std::string_view host;       // lower case, without the port
  std::string_view target;     // path and query to pass on, always starting "/" (or "*")
  std::string_view path;       // decoded, dots resolved, slashes merged: match and serve this
  std::string_view raw_path;   // the path part of target, not decoded
  std::string_view original_target;  // what the client sent, where target has changed; else ""
  std::string_view query;            // after "?", not decoded
  std::string_view protocol;         // :protocol of an extended CONNECT (RFC 8441), else ""
  HeaderList headers;
  HeaderList trailers;  // filled when the body has been read to its end
  BodyKind body = BodyKind::none;
  std::uint64_t content_length = 0;          // when body is `length`
  IpAddress client_ip;                       // the peer, or what a trusted proxy says
  std::span<const std::string_view> groups;  // of the `path_regexp` that the route has matched
  std::string_view user;                     // verified by basic_auth; "" = nobody
  bool trusted_peer = false;                 // the peer is one of the site's trusted_proxies
  bool expects_continue = false;

  // A request to switch to WebSocket, in either version (GET + Upgrade, or extended CONNECT).
  bool is_websocket_upgrade() const noexcept;
};

struct Response {
  explicit Response(Arena& arena) noexcept : headers(arena), trailers(arena) {}

  int status = 200;
  HeaderList headers;   // without framing and connection fields: the connection writes those
  HeaderList trailers;  // may be filled until the last piece of the body is sent
  BodyKind body = BodyKind::none;  // `none`, `length`, or `chunked` for "not known yet"
  std::uint64_t content_length = 0;
  bool close = false;  // the connection must not be reused (HTTP/1)
  // Whether the connection adds "Server: portero" when the headers have no Server. A step that
  // removes Server switches this off.
  bool server_header = true;
};

// Splits target into path and query, decodes and normalises the path into `arena`: decodes %xx
// once, refuses control bytes and NUL, resolves "." and ".." (above the root: refused), merges
// slashes in a row. A target with dot segments, or with two slashes at its start, is replaced by
// the encoded form of the path, so that nobody behind can take it for another; every other one
// stays as it was sent. Also fills `host` from `authority` (lower case, port and trailing dot
// removed).
// Errors: bad_request, bad_host. Source: RFC 3986 §5.2.4 and §6.2.2, RFC 9112 §3.2.
enum class TargetCheck : std::uint8_t { ok, bad_target, bad_host };
TargetCheck normalise_target(Request& request, Arena& arena);

}  // namespace portero::http
