#include "hub/pusher_frames.hpp"

#include <algorithm>
#include <array>

#include "base/bytes.hpp"

namespace portero::hub {
namespace {

constexpr std::size_t close_reason_bytes_max = 123;

// A frame is put together in this thread's text, which keeps its storage up to a bound.
std::string& scratch() {
  constexpr std::size_t kept_bytes_max = 64 * 1024;
  static thread_local std::string text;
  if (text.capacity() > kept_bytes_max) text = std::string();
  text.clear();
  return text;
}

void append_quoted(std::string& out, std::string_view text) {
  out += '"';
  append_json_text(out, text);
  out += '"';
}

FrameRef text_frame(const std::string& payload, std::string_view channel) {
  return FrameRef::make(Opcode::text, payload, channel);
}

// {"event":…,"data":"…","channel":…} around what `append_data` writes inside the data string.
template <class AppendData>
FrameRef channel_frame(std::string_view channel, std::string_view event, AppendData append_data) {
  std::string& out = scratch();
  out += R"({"event":)";
  append_quoted(out, event);
  out += R"(,"data":")";
  append_data(out);
  out += R"(","channel":)";
  append_quoted(out, channel);
  out += '}';
  return text_frame(out, channel);
}

constexpr std::array<bool, 256> make_plain_characters() {
  std::array<bool, 256> plain{};
  for (unsigned c = 0x20; c < 256; ++c) plain[c] = c != '"' && c != '\\' && c != 0x7F;
  return plain;
}
constexpr std::array<bool, 256> plain_characters = make_plain_characters();

}  // namespace

void append_json_text(std::string& out, std::string_view text) {
  if (!is_utf8(text)) return append_json_escaped(out, text);
  // Runs of plain characters are copied whole; the rest, a byte at a time, is ASCII.
  while (!text.empty()) {
    std::size_t run = 0;
    while (run < text.size() && plain_characters[static_cast<unsigned char>(text[run])]) ++run;
    out.append(text.substr(0, run));
    if (run == text.size()) return;
    append_json_escaped(out, text.substr(run, 1));
    text.remove_prefix(run + 1);
  }
}

namespace frames {

FrameRef connection_established(std::string_view socket_id, Milliseconds activity_timeout) {
  std::string& out = scratch();
  out += R"({"event":"pusher:connection_established","data":"{\"socket_id\":\")";
  out += socket_id;
  out += R"(\",\"activity_timeout\":)";
  // 0 makes pusher-js throw.
  out += std::to_string(std::max<std::int64_t>(1, activity_timeout.count() / 1000));
  out += R"(}"})";
  return text_frame(out, {});
}

FrameRef error(PusherCode code, std::string_view message) {
  std::string& out = scratch();
  out += R"({"event":"pusher:error","data":{"code":)";
  out += std::to_string(static_cast<unsigned>(code));
  out += R"(,"message":)";
  append_quoted(out, message);
  out += "}}";
  return text_frame(out, {});
}

FrameRef pong() {
  // With data, so that the Java SDK's getData() finds some.
  return FrameRef::make(Opcode::text, R"({"event":"pusher:pong","data":"{}"})");
}

FrameRef subscription_succeeded(std::string_view channel) {
  return presence_subscription_succeeded(channel, {});
}

FrameRef presence_subscription_succeeded(std::string_view channel, std::string_view roster) {
  return channel_frame(channel, "pusher_internal:subscription_succeeded", [&](std::string& out) {
    if (roster.empty()) {
      out += "{}";
      return;
    }
    out += R"({\"presence\":)";
    append_json_text(out, roster);
    out += '}';
  });
}

FrameRef subscription_error(std::string_view channel, std::string_view type,
                            std::string_view message, unsigned status) {
  std::string& out = scratch();
  out += R"({"event":"pusher:subscription_error","channel":)";
  append_quoted(out, channel);
  out += R"(,"data":{"type":)";
  append_quoted(out, type);
  out += R"(,"error":)";
  append_quoted(out, message);
  out += R"(,"status":)";
  out += std::to_string(status);
  out += "}}";
  return text_frame(out, {});
}

FrameRef member_added(std::string_view channel, const MemberData& member) {
  return channel_frame(channel, "pusher_internal:member_added", [&](std::string& out) {
    out += R"({\"user_id\":)";
    append_json_text(out, member.id);
    if (!member.info.empty()) {
      out += R"(,\"user_info\":)";
      append_json_text(out, member.info);
    }
    out += '}';
  });
}

FrameRef member_removed(std::string_view channel, std::string_view user_id_json) {
  return channel_frame(channel, "pusher_internal:member_removed", [&](std::string& out) {
    out += R"({\"user_id\":)";
    append_json_text(out, user_id_json);
    out += '}';
  });
}

FrameRef event(std::string_view channel, std::string_view event, std::string_view data) {
  return client_event(channel, event, data, {});
}

FrameRef client_event(std::string_view channel, std::string_view event, std::string_view data,
                      std::string_view user_id_json) {
  std::string& out = scratch();
  out += R"({"event":)";
  append_quoted(out, event);
  out += R"(,"data":)";
  append_quoted(out, data);
  out += R"(,"channel":)";
  append_quoted(out, channel);
  if (!user_id_json.empty()) {
    out += R"(,"user_id":)";
    out += user_id_json;
  }
  out += '}';
  return text_frame(out, channel);
}

FrameRef close(unsigned code, std::string_view reason) {
  char payload[2 + close_reason_bytes_max];
  std::size_t size = std::min(reason.size(), close_reason_bytes_max);
  while (size > 0 && !is_utf8(reason.substr(0, size))) --size;  // never cut inside a character
  payload[0] = static_cast<char>(code >> 8);
  payload[1] = static_cast<char>(code & 0xFF);
  std::copy_n(reason.data(), size, payload + 2);
  return FrameRef::make(Opcode::close, {payload, size + 2});
}

}  // namespace frames

}  // namespace portero::hub
