#include "hub/ws_codec.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"

namespace portero::hub {
namespace {

// So many fragments may a message have, whatever its size, and one more per 64 bytes of the limit:
// a flood of tiny fragments costs far more than its bytes.
constexpr std::size_t fragments_base = 64;
constexpr std::size_t bytes_per_fragment = 64;

// UTF-8 check that passes over plain ASCII eight bytes at a time.
bool is_utf8_text(std::string_view text) noexcept {
  std::size_t at = 0;
  for (; at + 8 <= text.size(); at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, text.data() + at, 8);
    if ((word & 0x8080808080808080U) != 0) break;
  }
  return is_utf8(text.substr(at));
}

}  // namespace

bool is_sendable_close_code(unsigned code) noexcept {
  if (code >= 3000 && code <= 4999) return true;
  return code >= 1000 && code <= 1014 && code != 1004 && code != 1005 && code != 1006;
}

void unmask(MutableBytes bytes, const unsigned char* key, std::uint64_t phase) noexcept {
  char* at = bytes.data();
  char* const end = at + bytes.size();
  unsigned char turned[8];
  for (std::size_t i = 0; i < 8; ++i) turned[i] = key[(phase + i) & 3];
  std::uint64_t mask = 0;
  std::memcpy(&mask, turned, 8);
  for (; end - at >= 8; at += 8) {
    std::uint64_t word = 0;
    std::memcpy(&word, at, 8);
    word ^= mask;
    std::memcpy(at, &word, 8);
  }
  for (std::size_t i = 0; at != end; ++at, ++i) *at = static_cast<char>(*at ^ turned[i]);
}

WsEvent WsCodec::next(MutableBytes& in, std::size_t message_bytes_max) {
  if (delivered_ || delivered_control_) forget_delivered();
  if (state_ == State::failed) return WsViolation{failure_};
  for (;;) {
    if (state_ == State::header) {
      const bool complete = read_header(in);
      if (header_size_ >= 2) {
        if (const Errc why = check_start(); why != Errc::ok) return fail(why);
      }
      if (!complete) return WsNeedMore{};
      if (const Errc why = begin_payload(message_bytes_max); why != Errc::ok) return fail(why);
    }
    WsEvent event = read_payload(in);
    const bool fragment_done = std::holds_alternative<WsNeedMore>(event) && state_ == State::header;
    if (!fragment_done) return event;
  }
}

std::size_t WsCodec::header_size_needed() const noexcept {
  if (header_size_ < 2) return 2;
  const unsigned length = header_[1] & 0x7F;
  const std::size_t extended = length == 127 ? 8 : length == 126 ? 2 : 0;
  return 2 + extended + 4;
}

bool WsCodec::read_header(MutableBytes& in) {
  for (;;) {
    const std::size_t needed = header_size_needed();
    if (header_size_ == needed) return true;
    const std::size_t count = std::min(needed - header_size_, in.size());
    if (count == 0) return false;
    std::memcpy(header_.data() + header_size_, in.data(), count);
    header_size_ = static_cast<std::uint8_t>(header_size_ + count);
    in = in.subspan(count);
  }
}

Errc WsCodec::check_start() const noexcept {
  const bool rsv = (header_[0] & 0x70) != 0;
  const bool masked = (header_[1] & 0x80) != 0;
  const unsigned length = header_[1] & 0x7F;
  const auto code = static_cast<unsigned>(opcode());
  if (rsv || !masked || (code > 2 && code < 8) || code > 10) return Errc::websocket_protocol;
  if (is_control()) {
    return !is_final() || length > 125 ? Errc::websocket_protocol : Errc::ok;
  }
  const bool message_begun = assembly_ != nullptr && assembly_->opcode != Opcode::continuation;
  const bool continues = opcode() == Opcode::continuation;
  return continues == message_begun ? Errc::ok : Errc::websocket_protocol;
}

Errc WsCodec::begin_payload(std::size_t message_bytes_max) {
  std::uint64_t length = header_[1] & 0x7F;
  if (length >= 126) {
    const std::size_t extended = length == 127 ? 8 : 2;
    const std::uint64_t minimum = length == 127 ? 0x1'0000 : 126;
    length = 0;
    for (std::size_t i = 0; i < extended; ++i) length = length << 8 | header_[2 + i];
    // Source: RFC 6455 §5.2: the shortest form, and the most significant bit is 0.
    if (length < minimum || length >> 63 != 0) return Errc::websocket_protocol;
  }
  if (!is_control()) {
    const std::size_t before = assembly_ != nullptr ? assembly_->message.size() : 0;
    if (before > message_bytes_max || length > message_bytes_max - before) {
      return Errc::message_too_large;
    }
    if (assembly_ != nullptr && assembly_->opcode != Opcode::continuation &&
        ++assembly_->fragments > fragments_base + message_bytes_max / bytes_per_fragment) {
      return Errc::flood;
    }
  }
  payload_size_ = payload_left_ = length;
  state_ = State::payload;
  return Errc::ok;
}

WsEvent WsCodec::read_payload(MutableBytes& in) {
  const auto count = static_cast<std::size_t>(std::min<std::uint64_t>(payload_left_, in.size()));
  if (count == 0 && payload_left_ != 0) return WsNeedMore{};  // cut after the header: not begun
  const MutableBytes piece = in.first(count);
  in = in.subspan(count);
  const unsigned char* const key = header_.data() + header_size_ - 4;
  if (!piece.empty()) unmask(piece, key, payload_size_ - payload_left_);
  const bool untouched = payload_left_ == payload_size_;
  payload_left_ -= count;

  const Bytes bytes(piece.data(), piece.size());
  const bool alone = is_control() || (is_final() && opcode() != Opcode::continuation);
  if (payload_left_ == 0 && untouched && alone) return finish_frame(bytes);
  std::string& parts = is_control() ? assembly().control : assembly().message;
  parts.append(bytes);
  if (!is_control() && opcode() != Opcode::continuation) assembly_->opcode = opcode();
  if (payload_left_ != 0) return WsNeedMore{};
  if (is_control()) {
    delivered_control_ = true;
    return finish_frame(assembly_->control);
  }
  if (!is_final()) {
    state_ = State::header;
    header_size_ = 0;
    return WsNeedMore{};
  }
  delivered_ = true;
  return finish_message(assembly_->opcode, assembly_->message);
}

WsEvent WsCodec::finish_frame(Bytes payload) {
  switch (opcode()) {
    case Opcode::text:
    case Opcode::binary: return finish_message(opcode(), payload);
    case Opcode::close: return finish_close(payload);
    case Opcode::ping: break;
    case Opcode::pong:
      state_ = State::header;
      header_size_ = 0;
      return WsPong{};
    case Opcode::continuation: PORTERO_ASSERT(false);
  }
  state_ = State::header;
  header_size_ = 0;
  return WsPing{payload};
}

WsEvent WsCodec::finish_message(Opcode opcode, Bytes payload) {
  if (opcode == Opcode::text && !is_utf8_text(payload)) return fail(Errc::websocket_not_text);
  state_ = State::header;
  header_size_ = 0;
  return WsMessage{opcode, payload};
}

WsEvent WsCodec::finish_close(Bytes payload) {
  WsClose close;
  if (payload.size() == 1) return fail(Errc::websocket_protocol);
  if (payload.size() >= 2) {
    const auto byte = [payload](std::size_t i) { return static_cast<unsigned char>(payload[i]); };
    close.code = static_cast<std::uint16_t>(byte(0) << 8 | byte(1));
    close.reason = payload.substr(2);
    if (!is_sendable_close_code(close.code)) return fail(Errc::websocket_protocol);
    if (!is_utf8(close.reason)) return fail(Errc::websocket_not_text);
  }
  state_ = State::header;
  header_size_ = 0;
  return close;
}

WsEvent WsCodec::fail(Errc why) noexcept {
  state_ = State::failed;
  failure_ = why;
  assembly_.reset();
  header_size_ = 0;
  delivered_ = delivered_control_ = false;
  return WsViolation{why};
}

void WsCodec::forget_delivered() noexcept {
  if (delivered_) {
    assembly_.reset();
  } else {
    assembly_->control.clear();
    if (assembly_->opcode == Opcode::continuation) assembly_.reset();
  }
  delivered_ = delivered_control_ = false;
}

WsCodec::Assembly& WsCodec::assembly() {
  if (assembly_ == nullptr) assembly_ = std::make_unique<Assembly>();
  return *assembly_;
}

}  // namespace portero::hub
