// The opening handshake of a WebSocket, as far as it can be judged from the request alone.
// Pure. Thread: any. Source: RFC 6455 §4.2, RFC 8441 §5.
#pragma once

#include <string>
#include <string_view>

#include "http/message.hpp"

namespace portero::hub {

enum class HandshakeProblem : std::uint8_t {
  none,
  method,      // neither GET nor an extended CONNECT
  no_upgrade,  // a plain request
  version,     // Sec-WebSocket-Version is not 13
  key,         // Sec-WebSocket-Key is missing, repeated or not 16 bytes in base64
  body         // the request announces a body
};

HandshakeProblem check_handshake(const http::Request& request) noexcept;

// The status that answers a problem: 405, 426 or 400.
int handshake_status(HandshakeProblem problem) noexcept;
// One line for people, without its end.
std::string_view handshake_text(HandshakeProblem problem) noexcept;

// The value of Sec-WebSocket-Accept.
std::string accept_value(std::string_view key);

}  // namespace portero::hub
