// FastCGI records, both directions: what a web server writes and reads, and what a responder reads,
// which tests and tools need. One request at a time per connection (id 1), as PHP-FPM wants it.
// Pure: no socket, no clock, no log. Thread: owner's. Source: the FastCGI specification 1.0.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/buffer.hpp"
#include "base/result.hpp"

namespace portero::proxy {

enum class FastCgiType : std::uint8_t {
  begin_request = 1,
  abort_request = 2,
  end_request = 3,
  params = 4,
  stdin_data = 5,
  stdout_data = 6,
  stderr_data = 7,
};

constexpr std::size_t fastcgi_header_bytes = 8;
constexpr std::size_t fastcgi_content_bytes_max = 65'528;  // of a record; a multiple of 8

// --- writing -------------------------------------------------------------------------------------

// Opens a request of the role "responder", over a connection that stays open.
void encode_begin_request(Buffer& out);
// Appends a name and its value as params want them; the records around them come later.
void append_param(std::string_view name, std::string_view value, Buffer& params);
// A stream of that type: records for `content`, as many as it takes. Nothing for no content.
void encode_stream(FastCgiType type, Bytes content, Buffer& out);
// The empty record that ends a stream.
void encode_stream_end(FastCgiType type, Buffer& out);
void encode_end_request(std::uint32_t app_status, std::uint8_t protocol_status, Buffer& out);

// --- reading -------------------------------------------------------------------------------------

// What was read: some content of a record. Records of streams come in pieces as their bytes come,
// the others whole.
struct FastCgiPiece {
  FastCgiType type = FastCgiType::stdout_data;
  Bytes data;             // in the input: valid until bytes are added to it
  bool is_empty = false;  // the record has no content: the end of a stream
};

// How a responder ended.
struct FastCgiEnd {
  std::uint32_t app_status = 0;
  std::uint8_t protocol_status = 0;  // 0 = complete, 1 = one request at a time, 2 = overloaded
};

class FastCgiDecoder {
 public:
  // Takes the next piece from the front of `in`; nothing when more bytes are needed.
  // Errors: bad_upstream_response (another version, another request, an unknown type, a record of
  //   a wrong size). Limits: records are at most 65,535 bytes with 255 of padding by their form.
  Result<std::optional<FastCgiPiece>> next(Buffer& in) noexcept;
  // Whether the bytes so far end where a record ends.
  bool at_boundary() const noexcept { return state_ == State::header; }

 private:
  enum class State : std::uint8_t { header, content, whole, padding };

  bool read_header(Buffer& in, bool& failed) noexcept;

  State state_ = State::header;
  FastCgiType type_ = FastCgiType::stdout_data;
  std::uint16_t content_left_ = 0;
  std::uint8_t padding_left_ = 0;
};

// Reads the content of an end_request record; nothing when it is too short.
std::optional<FastCgiEnd> parse_end_request(Bytes content) noexcept;

// Takes params apart, as a responder does. Nothing when a length leads beyond the end.
using FastCgiParams = std::vector<std::pair<std::string_view, std::string_view>>;
std::optional<FastCgiParams> parse_params(Bytes content);

}  // namespace portero::proxy
