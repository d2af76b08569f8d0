// Message bodies of HTTP/1.x: how a body is framed, and taking it apart into pieces of data.
// Pure codec: no socket, no clock, no log. Thread: owner's.
// Source: RFC 9112 §6 and §7.
#pragma once

#include <cstdint>

#include "base/arena.hpp"
#include "base/buffer.hpp"
#include "base/result.hpp"
#include "http/message.hpp"

namespace portero::http {

struct BodyFraming {
  BodyKind kind = BodyKind::none;
  std::uint64_t length = 0;  // bytes, when kind is `length`

  friend bool operator==(const BodyFraming&, const BodyFraming&) = default;
};

// Tells what Content-Length and Transfer-Encoding announce; `none` when neither is there. For a
// request that is how its body is framed, whatever the method.
// Errors, for a client: bad_framing (both, two of one, a bad value, chunked in HTTP/1.0),
//   not_implemented (a coding other than chunked). For an upstream: bad_upstream_response for all
//   of them, but equal repeated lengths pass.
// Units: bytes. Limits: Content-Length ≤ 2^63-1. Source: RFC 9112 §6.3.
Result<BodyFraming> announced_framing(const HeaderList& fields, Version version,
                                      Side peer) noexcept;

// Whether a response of that status to that method has no body, whatever its fields announce.
// Source: RFC 9112 §6.3.
constexpr bool is_bodiless(int status, Method request_method) noexcept {
  return request_method == Method::head || status < 200 || status == 204 || status == 304;
}

// Whether a field may stand in a trailer section. Fields that decide framing, routing, access or
// how content is read must not come late; the rule is: none that this server knows by name.
// Source: RFC 9110 §6.5.1.
constexpr bool is_trailer_allowed(FieldId id) noexcept { return id == FieldId::other; }

struct BodyPiece {
  enum class State : std::uint8_t { need_more, data, end };
  State state = State::need_more;
  Bytes data;  // not empty when state is `data`; points into the buffer that was given to next()
};

constexpr std::size_t chunk_line_bytes_max = 1024;
constexpr std::size_t chunk_extension_bytes_max = 4 * 1024;  // of a whole body
constexpr std::size_t trailer_bytes_max = 8 * 1024;

class H1BodyDecoder {
 public:
  // `peer` decides which errors are returned: those of a client or those of an upstream.
  explicit H1BodyDecoder(BodyFraming framing = {}, Side peer = Side::client) noexcept;

  // Takes the next piece from the front of `in`. Its view stays valid until `in` is filled again.
  // Trailers that are allowed are copied into `arena` and added to `trailers` before `end`.
  // Errors: bad_framing (bad_upstream_response for an upstream).
  // Limits: chunk size < 2^63, chunk_extension_bytes_max, trailer_bytes_max.
  Result<BodyPiece> next(Buffer& in, HeaderList& trailers, Arena& arena);
  // Says that the peer has ended its side, which ends an `until_close` body.
  // Errors: end_of_stream (upstream_truncated for an upstream) when the body is not complete.
  Result<> end_of_input() noexcept;

  bool done() const noexcept { return state_ == State::done; }
  // Bytes known to be still to come: of the body for `length`, of the chunk for `chunked`.
  std::uint64_t remaining() const noexcept { return remaining_; }
  // So many bytes of a `length` body have been taken elsewhere. Limits: fewer than remaining().
  void skip(std::uint64_t bytes) noexcept;

 private:
  enum class State : std::uint8_t { length, until_close, size, chunk, chunk_end, trailers, done };
  enum class Step : std::uint8_t { need_more, taken };

  Result<Step> read_framing(Buffer& in, HeaderList& trailers, Arena& arena);
  Result<Step> read_size_line(Buffer& in) noexcept;
  Result<Step> read_chunk_end(Buffer& in) noexcept;
  Result<Step> read_trailers(Buffer& in, HeaderList& trailers, Arena& arena);
  Bytes take_data(Buffer& in) noexcept;
  Bytes join_chunks(Bytes data, Buffer& in) noexcept;
  Error violation() const noexcept;

  State state_;
  Side peer_;
  std::uint32_t extension_bytes_ = 0;
  std::uint64_t remaining_ = 0;
};

}  // namespace portero::http
