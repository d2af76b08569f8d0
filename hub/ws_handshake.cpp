#include "hub/ws_handshake.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "net/crypto.hpp"

namespace portero::hub {
namespace {

bool is_base64_character(char c) noexcept {
  return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '+' ||
         c == '/';
}

// 16 bytes are 22 characters and two of padding.
bool is_websocket_key(std::string_view key) noexcept {
  return key.size() == 24 && key.ends_with("==") &&
         std::all_of(key.begin(), key.end() - 2, is_base64_character);
}

// The value of a field that stands exactly once; "" otherwise.
std::string_view only_value(const http::Request& request, http::FieldId id) noexcept {
  std::string_view value;
  std::size_t count = 0;
  for (const http::Field& field : request.headers) {
    if (field.id != id) continue;
    value = field.value;
    ++count;
  }
  return count == 1 ? value : std::string_view();
}

}  // namespace

HandshakeProblem check_handshake(const http::Request& request) noexcept {
  const bool extended_connect =
      request.method == http::Method::connect && request.version == http::Version::http_2;
  if (request.method == http::Method::head) return HandshakeProblem::no_upgrade;
  if (request.method != http::Method::get && !extended_connect) return HandshakeProblem::method;
  if (!request.is_websocket_upgrade()) return HandshakeProblem::no_upgrade;
  if (only_value(request, http::FieldId::sec_websocket_version) != "13") {
    return HandshakeProblem::version;
  }
  if (extended_connect) return HandshakeProblem::none;  // no key and no body there
  if (!is_websocket_key(only_value(request, http::FieldId::sec_websocket_key))) {
    return HandshakeProblem::key;
  }
  return request.body == http::BodyKind::none ? HandshakeProblem::none : HandshakeProblem::body;
}

int handshake_status(HandshakeProblem problem) noexcept {
  switch (problem) {
    case HandshakeProblem::method: return 405;
    case HandshakeProblem::no_upgrade:
    case HandshakeProblem::version: return 426;
    case HandshakeProblem::key:
    case HandshakeProblem::body:
    case HandshakeProblem::none: break;
  }
  return 400;
}

std::string_view handshake_text(HandshakeProblem problem) noexcept {
  switch (problem) {
    case HandshakeProblem::none: break;
    case HandshakeProblem::method: return "only GET opens a WebSocket";
    case HandshakeProblem::no_upgrade:
      return "the request has no WebSocket upgrade (HTTP/1.1 with Connection: Upgrade and "
             "Upgrade: websocket)";
    case HandshakeProblem::version: return "Sec-WebSocket-Version must be 13";
    case HandshakeProblem::key:
      return "Sec-WebSocket-Key must be 16 random bytes in base64 (24 characters ending in ==)";
    case HandshakeProblem::body: return "a WebSocket handshake has no body";
  }
  return "";
}

std::string accept_value(std::string_view key) {
  std::string text(key);
  text += "258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
  return net::sha1_base64(text);
}

}  // namespace portero::hub
