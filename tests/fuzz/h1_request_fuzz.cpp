// Request heads: no input breaks the parser, the verdict does not depend on how the bytes come, and
// what was accepted means the same to the next server when it is written again.
#include <cstddef>
#include <cstdint>

#include "base/assert.hpp"
#include "http/chars.hpp"
#include "http/h1_codec.hpp"

using namespace portero;
using namespace portero::http;

namespace {

struct Parsed {
  Arena arena;
  Request request{arena};
  Errc verdict = Errc::would_block;
  std::size_t taken = 0;
};

void parse(std::string_view bytes, std::size_t step, Parsed& parsed) {
  H1RequestParser parser;
  Buffer in;
  for (std::size_t at = 0; at < bytes.size() && parsed.verdict == Errc::would_block; at += step) {
    in.append(bytes.substr(at, step));
    const Result<HeadState> state = parser.next(in, parsed.request, parsed.arena);
    if (!state) parsed.verdict = state.error().code;
    if (state && *state == HeadState::complete) {
      parsed.verdict = Errc::ok;
      parsed.taken = std::min(at + step, bytes.size()) - in.size();
    }
  }
}

void check_accepted(const Request& request) {
  PORTERO_ASSERT(is_token(request.method_text));
  PORTERO_ASSERT(request.target == "*" || request.target.starts_with('/'));
  PORTERO_ASSERT(request.path == "*" || request.path.starts_with('/'));
  for (const char c : request.path) {
    PORTERO_ASSERT(static_cast<unsigned char>(c) >= 0x20 && c != 0x7f);
  }
  for (const Field& field : request.headers) {
    PORTERO_ASSERT(is_token(field.name) && is_field_value(field.value));
  }
}

void check_written_again(const Request& request) {
  if (request.method == Method::connect || request.authority.empty()) return;
  Buffer out;
  encode_request_head({request.method_text,
                       request.target,
                       request.headers.all(),
                       {request.body, request.content_length}},
                      out);
  Parsed again;
  parse(out.readable(), out.size(), again);
  // "X:y" is written as "X: y", and "`" in a target as "%60".
  if (again.verdict == Errc::header_too_large || again.verdict == Errc::uri_too_long) return;
  PORTERO_ASSERT(again.verdict == Errc::ok && again.taken == out.size());
  PORTERO_ASSERT(again.request.path == request.path);
  PORTERO_ASSERT(again.request.host == request.host);
  PORTERO_ASSERT(again.request.body == request.body);
  PORTERO_ASSERT(again.request.content_length == request.content_length);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 1) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 1), size - 1);
  Parsed whole;
  parse(bytes, bytes.size() + 1, whole);
  Parsed pieces;
  parse(bytes, std::size_t{1} + data[0] % 80, pieces);
  PORTERO_ASSERT(pieces.verdict == whole.verdict && pieces.taken == whole.taken);
  if (whole.verdict != Errc::ok) return 0;
  check_accepted(whole.request);
  check_written_again(whole.request);
  return 0;
}
