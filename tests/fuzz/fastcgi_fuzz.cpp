// FastCGI records and CGI heads: no input breaks a decoder, verdict and data do not depend on how
// the bytes come, and what was accepted decodes to the same when it is written again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.hpp"
#include "proxy/cgi_head.hpp"
#include "proxy/fastcgi_codec.hpp"

using namespace portero;
using namespace portero::proxy;

namespace {

struct Decoded {
  std::string streams[8];  // by type
  std::string ends;        // the order in which streams ended
  bool failed = false;
  bool at_boundary = false;
};

Decoded decode(std::string_view bytes, std::size_t step) {
  Decoded decoded;
  FastCgiDecoder decoder;
  Buffer in;
  for (std::size_t at = 0; at < bytes.size() && !decoded.failed; at += step) {
    in.append(bytes.substr(at, step));
    for (;;) {
      const Result<std::optional<FastCgiPiece>> piece = decoder.next(in);
      decoded.failed = !piece;
      if (!piece || !*piece) break;
      const auto type = static_cast<std::size_t>((*piece)->type);
      PORTERO_ASSERT(type >= 1 && type <= 7);
      PORTERO_ASSERT((*piece)->is_empty == (*piece)->data.empty());
      decoded.streams[type] += (*piece)->data;
      if ((*piece)->is_empty) decoded.ends += static_cast<char>('0' + type);
    }
  }
  decoded.at_boundary = in.empty() && decoder.at_boundary();
  return decoded;
}

void check_records(std::string_view bytes, std::size_t step) {
  const Decoded whole = decode(bytes, bytes.size() + 1);
  const Decoded pieces = decode(bytes, step);
  PORTERO_ASSERT(whole.failed == pieces.failed && whole.ends == pieces.ends);
  PORTERO_ASSERT(whole.at_boundary == pieces.at_boundary);
  for (std::size_t type = 0; type < 8; ++type) {
    PORTERO_ASSERT(whole.streams[type] == pieces.streams[type]);
  }
  (void)parse_end_request(whole.streams[3]);
  const std::optional<FastCgiParams> params = parse_params(whole.streams[4]);
  if (!params) return;
  Buffer again;
  for (const auto& [name, value] : *params) append_param(name, value, again);
  Buffer records;
  encode_stream(FastCgiType::params, again.readable(), records);
  const Decoded read = decode(records.readable(), step);
  PORTERO_ASSERT(!read.failed && read.at_boundary && read.streams[4] == again.readable());
  const std::optional<FastCgiParams> same = parse_params(again.readable());
  PORTERO_ASSERT(same && *same == *params);
}

struct Head {
  Arena arena;
  http::Response response{arena};
  CgiHeadParser parser;
  bool failed = false;
  std::string body;
};

void read_head(std::string_view bytes, std::size_t step, Head& head) {
  for (std::size_t at = 0; at < bytes.size() && !head.failed; at += step) {
    const std::string_view piece = bytes.substr(at, step);
    if (head.parser.complete()) {
      head.body += piece;
      continue;
    }
    const Result<std::optional<std::size_t>> taken =
        head.parser.take(piece, head.response, head.arena);
    head.failed = !taken;
    if (taken && *taken) head.body += piece.substr(**taken);
  }
}

void check_head(std::string_view bytes, std::size_t step) {
  Head whole;
  read_head(bytes, bytes.size() + 1, whole);
  Head pieces;
  read_head(bytes, step, pieces);
  PORTERO_ASSERT(whole.failed == pieces.failed);
  if (whole.failed) return;
  PORTERO_ASSERT(whole.body == pieces.body && whole.response.status == pieces.response.status);
  PORTERO_ASSERT(whole.response.headers.size() == pieces.response.headers.size());
  for (const http::Field& field : whole.response.headers) {
    for (const char c : field.value) PORTERO_ASSERT(c != '\r' && c != '\n' && c != '\0');
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  const std::size_t step = std::size_t{1} + data[1] % 80;
  if (data[0] % 2 == 0) {
    check_records(bytes, step);
  } else {
    check_head(bytes, step);
  }
  return 0;
}
