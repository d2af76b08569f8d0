// Response heads of an upstream: no input breaks the parser, the verdict does not depend on how the
// bytes come, and what was accepted means the same to the client when it is written again.
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "http/h1_codec.hpp"

using namespace portero;
using namespace portero::http;

namespace {

struct Parsed {
  explicit Parsed(Method method) : parser(method) {}

  Arena arena;
  Response response{arena};
  H1ResponseParser parser;
  Errc verdict = Errc::would_block;

  void parse(std::string_view bytes, std::size_t step) {
    Buffer in;
    for (std::size_t at = 0; at < bytes.size() && verdict == Errc::would_block; at += step) {
      in.append(bytes.substr(at, step));
      const Result<HeadState> state = parser.next(in, response, arena);
      if (!state) verdict = state.error().code;
      if (state && *state == HeadState::complete) verdict = Errc::ok;
    }
  }
};

void check_written_again(const Parsed& first, Method method) {
  Buffer out;
  const H1ResponseOptions options{{first.response.body, first.response.content_length}};
  encode_response_head(first.response, options, out);
  Parsed again(method);
  again.parse(out.readable(), out.size());
  if (again.verdict == Errc::bad_upstream_response && out.size() > response_header_bytes_max)
    return;
  // Lines of ours (framing of a body until the close, Connection beside Upgrade) may be too many.
  constexpr std::size_t own_fields = 2;
  if (first.response.headers.size() + own_fields > fields_max) return;
  PORTERO_ASSERT(again.verdict == Errc::ok);
  PORTERO_ASSERT(again.response.status == first.response.status);
  PORTERO_ASSERT(again.response.headers.size() <= first.response.headers.size() + own_fields);
  PORTERO_ASSERT(first.parser.framing().kind == BodyKind::until_close ||
                 again.parser.framing() == first.parser.framing());
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const Method method = (data[0] & 0x80) != 0 ? Method::head : Method::get;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  Parsed whole(method);
  whole.parse(bytes, bytes.size() + 1);
  Parsed pieces(method);
  pieces.parse(bytes, std::size_t{1} + data[0] % 80);
  PORTERO_ASSERT(pieces.verdict == whole.verdict);
  PORTERO_ASSERT(pieces.parser.framing() == whole.parser.framing());
  if (whole.verdict != Errc::ok) return 0;
  check_written_again(whole, method);
  return 0;
}
