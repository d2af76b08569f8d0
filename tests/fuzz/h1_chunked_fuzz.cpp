// Chunked bodies: no input breaks the decoder, verdict and data do not depend on how the bytes
// come, and what was accepted decodes to the same when it is written again.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/assert.hpp"
#include "http/h1_codec.hpp"

using namespace portero;
using namespace portero::http;

namespace {

struct Decoded {
  Arena arena;
  HeaderList trailers{arena};
  std::string data;
  Errc verdict = Errc::would_block;
};

void decode(std::string_view bytes, std::size_t step, Decoded& decoded) {
  H1BodyDecoder decoder({BodyKind::chunked, 0});
  Buffer in;
  for (std::size_t at = 0; at < bytes.size() && decoded.verdict == Errc::would_block; at += step) {
    in.append(bytes.substr(at, step));
    for (;;) {
      const Result<BodyPiece> piece = decoder.next(in, decoded.trailers, decoded.arena);
      if (!piece) decoded.verdict = piece.error().code;
      if (!piece || piece->state == BodyPiece::State::need_more) break;
      if (piece->state == BodyPiece::State::end) {
        decoded.verdict = Errc::ok;
        break;
      }
      PORTERO_ASSERT(!piece->data.empty());
      decoded.data += piece->data;
    }
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  Decoded whole;
  decode(bytes, bytes.size() + 1, whole);
  Decoded pieces;
  decode(bytes, std::size_t{1} + data[0] % 80, pieces);
  PORTERO_ASSERT(pieces.verdict == whole.verdict && pieces.data == whole.data);
  PORTERO_ASSERT(pieces.trailers.size() == whole.trailers.size());
  if (whole.verdict != Errc::ok) return 0;

  Buffer out;
  if (!whole.data.empty()) encode_chunk(whole.data, out);
  encode_last_chunk(whole.trailers.all(), out);
  const std::string written(out.readable());
  Decoded again;
  decode(written, written.size(), again);
  PORTERO_ASSERT(again.data == whole.data);
  // "X:y" is written as "X: y": at the limit it may not fit again.
  if (written.size() < trailer_bytes_max) PORTERO_ASSERT(again.verdict == Errc::ok);
  return 0;
}
