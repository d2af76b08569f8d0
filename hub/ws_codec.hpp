// WsCodec: the receiving half of a WebSocket server. Pure: bytes in, events out; no socket, no
// clock, no log. What is sent is encoded in hub/frame.
//
//   MutableBytes in = ...;                       // unmasked in place
//   for (;;) {
//     WsEvent event = codec.next(in, limit);     // consumes from the front of `in`
//     ...                                        // views in it live until the next call
//   }
//
// A message that lies whole in `in` is not copied; otherwise it grows in a buffer of its own, which
// exists only while a message is incomplete: an idle codec is 48 bytes.
// Thread: owner's. Source: RFC 6455 §5. No extension is negotiated, so every RSV bit is an error.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <variant>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "hub/frame.hpp"

namespace portero::hub {

struct WsNeedMore {};  // `in` is used up
struct WsMessage {
  Opcode opcode = Opcode::text;  // text or binary; text is valid UTF-8
  Bytes payload;
};
struct WsPing {
  Bytes payload;
};
struct WsPong {};
struct WsClose {
  std::uint16_t code = 1005;  // 1005: the frame had none
  Bytes reason;
};
// The connection must be failed with error_info(why).close_code. Every later call says the same.
struct WsViolation {
  Errc why = Errc::websocket_protocol;
};
using WsEvent = std::variant<WsNeedMore, WsMessage, WsPing, WsPong, WsClose, WsViolation>;

// Whether an endpoint may send this code in a Close frame. Source: RFC 6455 §7.4, IANA registry.
bool is_sendable_close_code(unsigned code) noexcept;

class WsCodec {
 public:
  // Consumes from `in` up to the end of the next event.
  // Limits: a message of more than `message_bytes_max` bytes is refused when the header of the
  // frame that exceeds it has arrived; fragments per message are counted.
  WsEvent next(MutableBytes& in, std::size_t message_bytes_max);

  // Whether a frame or message has begun and not ended.
  bool in_message() const noexcept { return header_size_ != 0 || assembly_ != nullptr; }

 private:
  static constexpr std::size_t header_bytes_max = 14;
  enum class State : std::uint8_t { header, payload, failed };

  // What has arrived of an incomplete message or control frame.
  struct Assembly {
    std::string message;
    std::string control;
    std::size_t fragments = 0;
    Opcode opcode = Opcode::continuation;  // of the message; continuation: none has begun
  };

  bool read_header(MutableBytes& in);  // false: more bytes are needed
  Errc check_start() const noexcept;   // the first two bytes
  Errc begin_payload(std::size_t message_bytes_max);
  WsEvent read_payload(MutableBytes& in);
  WsEvent finish_frame(Bytes payload);
  WsEvent finish_message(Opcode opcode, Bytes payload);
  WsEvent finish_close(Bytes payload);
  WsEvent fail(Errc why) noexcept;
  void forget_delivered() noexcept;
  std::size_t header_size_needed() const noexcept;
  Opcode opcode() const noexcept { return static_cast<Opcode>(header_[0] & 0x0F); }
  bool is_final() const noexcept { return (header_[0] & 0x80) != 0; }
  bool is_control() const noexcept { return (header_[0] & 0x08) != 0; }
  Assembly& assembly();

  std::unique_ptr<Assembly> assembly_;
  std::uint64_t payload_size_ = 0;  // of the frame
  std::uint64_t payload_left_ = 0;
  std::array<unsigned char, header_bytes_max> header_{};
  std::uint8_t header_size_ = 0;  // bytes of it that have arrived
  State state_ = State::header;
  bool delivered_ = false;  // the last event's view lies in assembly_
  bool delivered_control_ = false;
  Errc failure_ = Errc::ok;
};

// Applies a masking key to `bytes`, the first of which has index `phase` in the frame's payload.
void unmask(MutableBytes bytes, const unsigned char* key, std::uint64_t phase) noexcept;

}  // namespace portero::hub
