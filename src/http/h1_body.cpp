#include "http/h1_body.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "http/chars.hpp"
#include "http/h1_field_line.hpp"
#include "http/h1_scanner.hpp"

namespace portero::http {
namespace {

constexpr std::size_t chunk_size_digits_max = 16;
constexpr std::size_t joined_chunk_bytes_max = 1024;  // larger ones are worth a piece of their own

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = ascii_lower(c);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

struct FramingFields {
  const Field* length = nullptr;
  const Field* coding = nullptr;
  bool lengths_differ = false;
  unsigned lengths = 0;
  unsigned codings = 0;
};

FramingFields find_framing_fields(const HeaderList& fields) noexcept {
  FramingFields found;
  for (const Field& field : fields) {
    if (field.id == FieldId::content_length) {
      if (found.length != nullptr && found.length->value != field.value) {
        found.lengths_differ = true;
      }
      found.length = &field;
      ++found.lengths;
    } else if (field.id == FieldId::transfer_encoding) {
      found.coding = &field;
      ++found.codings;
    }
  }
  return found;
}

// Tells an unknown coding (the client may try without) from text that is no list of codings.
Errc judge_coding(std::string_view value) noexcept {
  bool has_unknown = false;
  const bool is_list = for_each_list_element(value, [&](std::string_view coding) {
    has_unknown = has_unknown || !iequals(coding, "chunked");
    return is_token(coding);
  });
  return is_list && has_unknown ? Errc::not_implemented : Errc::bad_framing;
}

Result<BodyFraming> judge(const FramingFields& found, Version version, Side peer) noexcept {
  if (found.coding != nullptr) {
    if (version == Version::http_1_0 || found.length != nullptr || found.codings > 1) {
      return Errc::bad_framing;
    }
    if (!iequals(found.coding->value, "chunked")) return judge_coding(found.coding->value);
    return BodyFraming{BodyKind::chunked, 0};
  }
  if (found.length == nullptr) return BodyFraming{};
  if (found.lengths_differ || (found.lengths > 1 && peer == Side::client)) {
    return Errc::bad_framing;
  }
  const std::optional<std::uint64_t> length = parse_decimal(found.length->value);
  if (!length) return Errc::bad_framing;
  return BodyFraming{BodyKind::length, *length};
}

}  // namespace

Result<BodyFraming> announced_framing(const HeaderList& fields, Version version,
                                      Side peer) noexcept {
  const FramingFields found = find_framing_fields(fields);
  if (found.length == nullptr && found.coding == nullptr) return BodyFraming{};
  const Result<BodyFraming> framing = judge(found, version, peer);
  if (!framing && peer == Side::upstream) return Errc::bad_upstream_response;
  return framing;
}

H1BodyDecoder::H1BodyDecoder(BodyFraming framing, Side peer) noexcept
    : state_(State::done), peer_(peer), remaining_(0) {
  switch (framing.kind) {
    case BodyKind::none: break;
    case BodyKind::length:
      remaining_ = framing.length;
      if (remaining_ != 0) state_ = State::length;
      break;
    case BodyKind::chunked: state_ = State::size; break;
    case BodyKind::until_close: state_ = State::until_close; break;
  }
}

Result<BodyPiece> H1BodyDecoder::next(Buffer& in, HeaderList& trailers, Arena& arena) {
  for (;;) {
    if (state_ == State::done) return BodyPiece{BodyPiece::State::end, {}};
    const bool holds_data =
        state_ == State::length || state_ == State::chunk || state_ == State::until_close;
    if (holds_data) {
      if (in.empty()) return BodyPiece{};
      Bytes data = take_data(in);
      if (state_ == State::chunk_end) data = join_chunks(data, in);
      return BodyPiece{BodyPiece::State::data, data};
    }
    const Result<Step> step = read_framing(in, trailers, arena);
    if (!step) return step.error();
    if (*step == Step::need_more) return BodyPiece{};
  }
}

void H1BodyDecoder::skip(std::uint64_t bytes) noexcept {
  PORTERO_ASSERT(state_ == State::length && bytes < remaining_);
  remaining_ -= bytes;
}

Result<> H1BodyDecoder::end_of_input() noexcept {
  if (state_ == State::until_close) state_ = State::done;
  if (state_ == State::done) return {};
  return peer_ == Side::upstream ? Errc::upstream_truncated : Errc::end_of_stream;
}

Bytes H1BodyDecoder::take_data(Buffer& in) noexcept {
  Bytes data = in.readable();
  if (state_ != State::until_close) {
    data =
        data.substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(data.size(), remaining_)));
    remaining_ -= data.size();
    if (remaining_ == 0) state_ = state_ == State::chunk ? State::chunk_end : State::done;
  }
  in.consume(data.size());
  return data;
}

// Moves small chunks that are here already next to each other. A client that sends a body in chunks
// of one byte would otherwise cost a write to the upstream for each. What is malformed stays where
// it is and is found by the next call.
Bytes H1BodyDecoder::join_chunks(Bytes data, Buffer& in) noexcept {
  while (state_ == State::chunk_end) {
    const Result<Step> ended = read_chunk_end(in);
    if (!ended || *ended == Step::need_more) break;
    const Result<Step> sized = read_size_line(in);
    if (!sized || *sized == Step::need_more || state_ != State::chunk) break;
    const std::uint64_t available = std::min<std::uint64_t>(remaining_, in.size());
    if (available == 0 || available > joined_chunk_bytes_max) break;
    const Bytes more = take_data(in);
    // The bytes between are framing that was consumed: the buffer's own storage, not written to
    // by anyone else before it is filled again.
    std::memmove(const_cast<char*>(data.data()) + data.size(), more.data(), more.size());
    data = Bytes(data.data(), data.size() + more.size());
  }
  return data;
}

Result<H1BodyDecoder::Step> H1BodyDecoder::read_framing(Buffer& in, HeaderList& trailers,
                                                        Arena& arena) {
  switch (state_) {
    case State::size: return read_size_line(in);
    case State::chunk_end: return read_chunk_end(in);
    case State::trailers: return read_trailers(in, trailers, arena);
    default: PORTERO_ASSERT(false);
  }
  return violation();
}

// chunk-size [ chunk-ext ] CRLF. A line is parsed when it is whole; it is short, so looking at its
// first bytes again while it arrives costs nothing. Source: RFC 9112 §7.1.
Result<H1BodyDecoder::Step> H1BodyDecoder::read_size_line(Buffer& in) noexcept {
  const std::string_view text = in.readable().substr(0, chunk_line_bytes_max);
  std::uint64_t size = 0;
  std::size_t at = 0;
  for (; at < text.size(); ++at) {
    const int digit = hex_value(text[at]);
    if (digit < 0) break;
    if (at == chunk_size_digits_max) return violation();
    size = size << 4 | static_cast<std::uint64_t>(digit);
  }
  const std::size_t digits = at;
  bool in_extension = false;
  for (; at < text.size() && text[at] != '\r'; ++at) {
    const char c = text[at];
    in_extension = in_extension || c == ';';
    const bool is_bad_space = c == ' ' || c == '\t';  // allowed in front of ';' only
    if (!is_char_of(c, char_class::value) || (!in_extension && !is_bad_space)) return violation();
  }
  if (digits == 0 && !text.empty()) return violation();
  if (at + 1 >= text.size()) {
    if (text.size() == chunk_line_bytes_max) return violation();
    return Step::need_more;
  }
  extension_bytes_ += static_cast<std::uint32_t>(at - digits);
  if (text[at + 1] != '\n' || (at != digits && !in_extension) || size > INT64_MAX ||
      extension_bytes_ > chunk_extension_bytes_max) {
    return violation();
  }
  in.consume(at + 2);
  remaining_ = size;
  state_ = size == 0 ? State::trailers : State::chunk;
  return Step::taken;
}

Result<H1BodyDecoder::Step> H1BodyDecoder::read_chunk_end(Buffer& in) noexcept {
  const std::string_view text = in.readable().substr(0, 2);
  if (!std::string_view("\r\n").starts_with(text)) return violation();
  if (text.size() < 2) return Step::need_more;
  in.consume(2);
  state_ = State::size;
  return Step::taken;
}

Result<H1BodyDecoder::Step> H1BodyDecoder::read_trailers(Buffer& in, HeaderList& trailers,
                                                         Arena& arena) {
  H1LineScanner scanner(trailer_bytes_max);
  const Result<HeadState> state = scanner.scan(in.readable());
  if (!state) return violation();
  if (*state == HeadState::need_more) return Step::need_more;
  const std::string_view section = in.readable().substr(0, scanner.scanned());
  for (std::size_t i = 0; i < scanner.line_count(); ++i) {
    Field field;
    if (!split_field_line(scanner.line(section, i), field)) return violation();
    if (!is_trailer_allowed(field.id)) continue;
    trailers.add(arena.copy(field.name), arena.copy(field.value), field.id);
  }
  in.consume(section.size());
  state_ = State::done;
  return Step::taken;
}

Error H1BodyDecoder::violation() const noexcept {
  return peer_ == Side::upstream ? Errc::bad_upstream_response : Errc::bad_framing;
}

}  // namespace portero::http
