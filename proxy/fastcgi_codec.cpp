#include "proxy/fastcgi_codec.hpp"

#include <algorithm>
#include <array>

#include "base/assert.hpp"

namespace portero::proxy {
namespace {

constexpr std::uint8_t version = 1;
constexpr std::uint8_t request_id = 1;
constexpr std::uint8_t role_responder = 1;
constexpr std::uint8_t flag_keep_connection = 1;
constexpr std::size_t control_bytes = 8;   // content of begin_request and end_request
constexpr std::size_t short_length = 127;  // a length up to here takes one byte, else four

constexpr std::uint8_t byte_at(Bytes bytes, std::size_t at) noexcept {
  return static_cast<std::uint8_t>(bytes[at]);
}

// Content is padded to a multiple of eight, which responders like to read.
constexpr std::size_t padding_of(std::size_t content) noexcept { return (8 - content % 8) % 8; }

void encode_header(FastCgiType type, std::size_t content, Buffer& out) {
  const std::array<char, fastcgi_header_bytes> header{static_cast<char>(version),
                                                      static_cast<char>(type),
                                                      0,
                                                      static_cast<char>(request_id),
                                                      static_cast<char>(content >> 8),
                                                      static_cast<char>(content & 0xff),
                                                      static_cast<char>(padding_of(content)),
                                                      0};
  out.append(Bytes(header.data(), header.size()));
}

std::size_t put_length(std::size_t length, char* to) noexcept {
  if (length <= short_length) {
    to[0] = static_cast<char>(length);
    return 1;
  }
  to[0] = static_cast<char>(0x80 | (length >> 24 & 0x7f));
  to[1] = static_cast<char>(length >> 16 & 0xff);
  to[2] = static_cast<char>(length >> 8 & 0xff);
  to[3] = static_cast<char>(length & 0xff);
  return 4;
}

// Takes a length off the front of `content`. Returns false when it is cut.
bool take_length(Bytes& content, std::size_t& length) noexcept {
  if (content.empty()) return false;
  const std::uint8_t first = byte_at(content, 0);
  if (first <= short_length) {
    length = first;
    content.remove_prefix(1);
    return true;
  }
  if (content.size() < 4) return false;
  length = static_cast<std::size_t>(first & 0x7f) << 24 |
           static_cast<std::size_t>(byte_at(content, 1)) << 16 |
           static_cast<std::size_t>(byte_at(content, 2)) << 8 | byte_at(content, 3);
  content.remove_prefix(4);
  return true;
}

// Records that are delivered in one piece, because their content is a structure.
constexpr bool is_control(FastCgiType type) noexcept {
  return type == FastCgiType::begin_request || type == FastCgiType::end_request;
}

}  // namespace

// --- writing -------------------------------------------------------------------------------------

void encode_begin_request(Buffer& out) {
  encode_header(FastCgiType::begin_request, control_bytes, out);
  constexpr std::array<char, control_bytes> body{0, role_responder, flag_keep_connection};
  out.append(Bytes(body.data(), body.size()));
}

void append_param(std::string_view name, std::string_view value, Buffer& params) {
  constexpr std::size_t lengths_bytes_max = 8;
  const MutableBytes room = params.prepare(lengths_bytes_max + name.size() + value.size());
  char* at = room.data();
  at += put_length(name.size(), at);
  at += put_length(value.size(), at);
  at = std::copy(name.begin(), name.end(), at);
  at = std::copy(value.begin(), value.end(), at);
  params.commit(static_cast<std::size_t>(at - room.data()));
}

void encode_stream(FastCgiType type, Bytes content, Buffer& out) {
  constexpr std::array<char, 8> zeros{};
  while (!content.empty()) {
    const Bytes piece = content.substr(0, fastcgi_content_bytes_max);
    encode_header(type, piece.size(), out);
    out.append(piece);
    out.append(Bytes(zeros.data(), padding_of(piece.size())));
    content.remove_prefix(piece.size());
  }
}

void encode_stream_end(FastCgiType type, Buffer& out) { encode_header(type, 0, out); }

void encode_end_request(std::uint32_t app_status, std::uint8_t protocol_status, Buffer& out) {
  encode_header(FastCgiType::end_request, control_bytes, out);
  const std::array<char, control_bytes> body{
      static_cast<char>(app_status >> 24), static_cast<char>(app_status >> 16 & 0xff),
      static_cast<char>(app_status >> 8 & 0xff), static_cast<char>(app_status & 0xff),
      static_cast<char>(protocol_status)};
  out.append(Bytes(body.data(), body.size()));
}

// --- reading -------------------------------------------------------------------------------------

Result<std::optional<FastCgiPiece>> FastCgiDecoder::next(Buffer& in) noexcept {
  for (;;) {
    const Bytes bytes = in.readable();
    switch (state_) {
      case State::header: {
        bool failed = false;
        if (!read_header(in, failed)) {
          if (failed) return Errc::bad_upstream_response;
          return std::optional<FastCgiPiece>();
        }
        if (content_left_ == 0) {
          state_ = State::padding;
          return std::optional(FastCgiPiece{type_, {}, true});
        }
        state_ = is_control(type_) ? State::whole : State::content;
        break;
      }
      case State::content: {
        if (bytes.empty()) return std::optional<FastCgiPiece>();
        const Bytes data = bytes.substr(0, content_left_);
        in.consume(data.size());
        content_left_ = static_cast<std::uint16_t>(content_left_ - data.size());
        if (content_left_ == 0) state_ = State::padding;
        return std::optional(FastCgiPiece{type_, data, false});
      }
      case State::whole: {
        if (bytes.size() < content_left_) return std::optional<FastCgiPiece>();
        const Bytes data = bytes.substr(0, content_left_);
        in.consume(data.size());
        content_left_ = 0;
        state_ = State::padding;
        return std::optional(FastCgiPiece{type_, data, false});
      }
      case State::padding: {
        const std::size_t skipped = std::min<std::size_t>(bytes.size(), padding_left_);
        in.consume(skipped);
        padding_left_ = static_cast<std::uint8_t>(padding_left_ - skipped);
        if (padding_left_ != 0) return std::optional<FastCgiPiece>();
        state_ = State::header;
        break;
      }
    }
  }
}

// Returns whether a whole header was taken.
bool FastCgiDecoder::read_header(Buffer& in, bool& failed) noexcept {
  const Bytes bytes = in.readable();
  // A wrong first byte is told at once: it is often the answer of a server of another kind.
  failed = !bytes.empty() && byte_at(bytes, 0) != version;
  if (failed || bytes.size() < fastcgi_header_bytes) return false;
  const std::uint8_t type = byte_at(bytes, 1);
  const auto first = static_cast<std::uint8_t>(FastCgiType::begin_request);
  const auto last = static_cast<std::uint8_t>(FastCgiType::stderr_data);
  failed = type < first || type > last || byte_at(bytes, 2) != 0 || byte_at(bytes, 3) != request_id;
  if (failed) return false;
  type_ = static_cast<FastCgiType>(type);
  content_left_ = static_cast<std::uint16_t>(byte_at(bytes, 4) << 8 | byte_at(bytes, 5));
  padding_left_ = byte_at(bytes, 6);
  failed = is_control(type_) && content_left_ != control_bytes;
  if (failed) return false;
  in.consume(fastcgi_header_bytes);
  return true;
}

std::optional<FastCgiEnd> parse_end_request(Bytes content) noexcept {
  if (content.size() < control_bytes) return std::nullopt;
  FastCgiEnd end;
  for (std::size_t i = 0; i < 4; ++i) end.app_status = end.app_status << 8 | byte_at(content, i);
  end.protocol_status = byte_at(content, 4);
  return end;
}

std::optional<FastCgiParams> parse_params(Bytes content) {
  FastCgiParams params;
  while (!content.empty()) {
    std::size_t name_bytes = 0;
    std::size_t value_bytes = 0;
    if (!take_length(content, name_bytes) || !take_length(content, value_bytes)) {
      return std::nullopt;
    }
    if (name_bytes > content.size() || value_bytes > content.size() - name_bytes) {
      return std::nullopt;
    }
    params.emplace_back(content.substr(0, name_bytes), content.substr(name_bytes, value_bytes));
    content.remove_prefix(name_bytes + value_bytes);
  }
  return params;
}

}  // namespace portero::proxy
