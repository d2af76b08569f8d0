#include "hub/ws_codec.hpp"

#include <string>
#include <vector>

#include <doctest/doctest.h>

#include "unit/hub/hub_fakes.hpp"

using namespace portero;
using namespace portero::hub;
using portero::hub::test::masked_frame;

namespace {

constexpr std::size_t limit = 1000;

// One line per event, so that runs can be compared.
std::string describe(const WsEvent& event) {
  if (const auto* message = std::get_if<WsMessage>(&event)) {
    return (message->opcode == Opcode::text ? "text " : "binary ") + std::string(message->payload);
  }
  if (const auto* ping = std::get_if<WsPing>(&event)) return "ping " + std::string(ping->payload);
  if (std::holds_alternative<WsPong>(event)) return "pong";
  if (const auto* close = std::get_if<WsClose>(&event)) {
    return "close " + std::to_string(close->code) + " " + std::string(close->reason);
  }
  if (const auto* violation = std::get_if<WsViolation>(&event)) {
    return "fail " + std::to_string(error_info(violation->why).close_code);
  }
  return "more";
}

using Lines = std::vector<std::string>;

void feed(WsCodec& codec, std::string bytes, Lines& lines) {
  MutableBytes in(bytes);
  for (;;) {
    const std::string line = describe(codec.next(in, limit));
    if (line == "more") return;
    lines.push_back(line);
    if (line.starts_with("fail")) return;
  }
}

// Feeds the bytes whole, byte by byte and cut at every position; all must agree.
Lines run(const std::string& bytes) {
  Lines whole;
  WsCodec at_once;
  feed(at_once, bytes, whole);
  Lines single;
  WsCodec trickled;
  for (const char c : bytes) {
    feed(trickled, std::string(1, c), single);
    if (!single.empty() && single.back().starts_with("fail")) break;
  }
  CHECK(single == whole);
  for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
    Lines parts;
    WsCodec codec;
    feed(codec, bytes.substr(0, cut), parts);
    const bool failed = !parts.empty() && parts.back().starts_with("fail");
    if (!failed) feed(codec, bytes.substr(cut), parts);
    CHECK(parts == whole);
  }
  return whole;
}

std::string raw(std::initializer_list<int> bytes) {
  std::string out;
  for (const int byte : bytes) out += static_cast<char>(byte);
  return out;
}

std::string close_payload(unsigned code, std::string_view reason = {}) {
  return raw({static_cast<int>(code >> 8), static_cast<int>(code & 255)}) + std::string(reason);
}

}  // namespace

TEST_CASE("ws_codec: reads text and binary messages of every length form") {
  CHECK(run(masked_frame(Opcode::text, "Hello")) == Lines{"text Hello"});
  CHECK(run(masked_frame(Opcode::text, "")) == Lines{"text "});
  CHECK(run(masked_frame(Opcode::binary, "\xff\x01")) == Lines{"binary \xff\x01"});
  for (const std::size_t size : {125, 126, 127, 1000}) {
    const std::string payload(size, 'x');
    CHECK(run(masked_frame(Opcode::text, payload)) == Lines{"text " + payload});
  }
}

TEST_CASE("ws_codec: reads the example of RFC 6455 §5.7") {
  CHECK(run(raw({0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58})) ==
        Lines{"text Hello"});
}

TEST_CASE("ws_codec: joins fragments and lets control frames between them [23]") {
  const std::string bytes =
      masked_frame(Opcode::text, "one ", false) + masked_frame(Opcode::ping, "p") +
      masked_frame(Opcode::continuation, "", false) + masked_frame(Opcode::pong, "late") +
      masked_frame(Opcode::continuation, "two") + masked_frame(Opcode::text, "three");
  CHECK(run(bytes) == Lines{"ping p", "pong", "text one two", "text three"});
}

TEST_CASE("ws_codec: messages in a row are read alike wherever they are cut") {
  CHECK(run(masked_frame(Opcode::text, "one") + masked_frame(Opcode::ping, "p") +
            masked_frame(Opcode::binary, "two")) == Lines{"text one", "ping p", "binary two"});
}

TEST_CASE("ws_codec: an unmasked frame is a protocol error [19]") {
  CHECK(run(raw({0x81, 0x01, 'x'})) == Lines{"fail 1002"});
}

TEST_CASE("ws_codec: reserved bits and opcodes are protocol errors") {
  for (const int first : {0xC1, 0xA1, 0x91, 0x83, 0x84, 0x87, 0x8B, 0x8F}) {
    CHECK(run(raw({first, 0x80, 0, 0, 0, 0})) == Lines{"fail 1002"});
  }
}

TEST_CASE("ws_codec: control frames are whole and at most 125 bytes") {
  CHECK(run(masked_frame(Opcode::ping, std::string(125, 'p'))).size() == 1);
  CHECK(run(masked_frame(Opcode::ping, std::string(126, 'p'))) == Lines{"fail 1002"});
  CHECK(run(masked_frame(Opcode::ping, "p", false)) == Lines{"fail 1002"});
}

TEST_CASE("ws_codec: fragments must follow their message") {
  CHECK(run(masked_frame(Opcode::continuation, "x")) == Lines{"fail 1002"});
  CHECK(run(masked_frame(Opcode::text, "a", false) + masked_frame(Opcode::text, "b")) ==
        Lines{"fail 1002"});
  CHECK(run(masked_frame(Opcode::text, "a", false) + masked_frame(Opcode::continuation, "b") +
            masked_frame(Opcode::continuation, "c")) == Lines{"text ab", "fail 1002"});
}

TEST_CASE("ws_codec: lengths must be in their shortest form and below 2^63") {
  CHECK(run(raw({0x81, 0xFE, 0, 125, 0, 0, 0, 0})) == Lines{"fail 1002"});
  CHECK(run(raw({0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0})) == Lines{"fail 1002"});
  CHECK(run(raw({0x81, 0xFF, 0x80, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0})) == Lines{"fail 1002"});
}

TEST_CASE("ws_codec: a message over the limit fails by its header, before its bytes [21, 24]") {
  CHECK(run(masked_frame(Opcode::text, std::string(limit, 'x'))).front().starts_with("text"));
  const std::string too_long = masked_frame(Opcode::text, std::string(limit + 1, 'x'));
  CHECK(run(too_long.substr(0, 8)) == Lines{"fail 1009"});
  CHECK(run(raw({0x82, 0xFF, 0x7F, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0})) == Lines{"fail 1009"});
  const std::string half(limit / 2 + 1, 'x');
  CHECK(run(masked_frame(Opcode::text, half, false) + masked_frame(Opcode::continuation, half)) ==
        Lines{"fail 1009"});
}

TEST_CASE("ws_codec: the fragments of a message are counted") {
  std::string bytes = masked_frame(Opcode::text, "", false);
  for (std::size_t i = 0; i < limit; ++i) bytes += masked_frame(Opcode::continuation, "", false);
  Lines lines;
  WsCodec codec;
  feed(codec, bytes, lines);
  CHECK(lines == Lines{"fail 1008"});
}

TEST_CASE("ws_codec: text must be UTF-8, also across fragments [20]") {
  CHECK(run(masked_frame(Opcode::text, "h\xc3\xa9 \xf0\x9f\x98\x80")).size() == 1);
  CHECK(run(masked_frame(Opcode::text, "abcdefgh\xc3\x28")) == Lines{"fail 1007"});
  CHECK(run(masked_frame(Opcode::text, "\xed\xa0\x80")) == Lines{"fail 1007"});
  CHECK(run(masked_frame(Opcode::text, "\xc3", false) +
            masked_frame(Opcode::continuation, "\xa9")) == Lines{"text \xc3\xa9"});
  CHECK(run(masked_frame(Opcode::text, "\xc3", false) + masked_frame(Opcode::continuation, "x")) ==
        Lines{"fail 1007"});
}

TEST_CASE("ws_codec: Close has no payload or a valid code and a UTF-8 reason") {
  CHECK(run(masked_frame(Opcode::close, "")) == Lines{"close 1005 "});
  CHECK(run(masked_frame(Opcode::close, close_payload(1000, "bye"))) == Lines{"close 1000 bye"});
  CHECK(run(masked_frame(Opcode::close, close_payload(4201))) == Lines{"close 4201 "});
  CHECK(run(masked_frame(Opcode::close, "x")) == Lines{"fail 1002"});
  for (const unsigned code : {0U, 999U, 1004U, 1005U, 1006U, 1015U, 1016U, 2999U, 5000U, 65535U}) {
    CHECK(run(masked_frame(Opcode::close, close_payload(code))) == Lines{"fail 1002"});
  }
  CHECK(run(masked_frame(Opcode::close, close_payload(1000, "\xff"))) == Lines{"fail 1007"});
}

TEST_CASE("ws_codec: keeps nothing once a message is complete") {
  WsCodec codec;
  Lines lines;
  feed(codec, masked_frame(Opcode::text, "a", false), lines);
  CHECK(codec.in_message());
  feed(codec, masked_frame(Opcode::continuation, "b"), lines);
  CHECK_FALSE(codec.in_message());
}

TEST_CASE("frame: headers have the shortest form of the length") {
  char header[frame_header_bytes_max];
  CHECK(encode_frame_header(Opcode::text, 125, header) == 2);
  CHECK(encode_frame_header(Opcode::text, 126, header) == 4);
  CHECK(encode_frame_header(Opcode::text, 65'535, header) == 4);
  CHECK(encode_frame_header(Opcode::binary, 65'536, header) == 10);
  CHECK(std::string(header, 10) == raw({0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0}));
}
