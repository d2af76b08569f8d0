// What clients say in the Pusher protocol 7, parsed and checked. Pure: text in, values out.
// What the hub says is in hub/pusher_frames.
// Thread: functions any; an InboundParser has one owner (a shard).
// Source: Pusher Channels protocol 7 as pusher-js, pusher-websocket-java and -swift speak it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/bytes.hpp"

namespace portero::hub {

// --- names --------------------------------------------------------------------------------------

constexpr std::size_t channel_name_bytes_max = 200;
constexpr std::size_t client_event_name_bytes_max = 200;
constexpr std::size_t client_event_data_bytes_max = 10 * 1024;
constexpr std::size_t user_id_bytes_max = 128;
constexpr unsigned json_depth_max = 64;

enum class ChannelKind : std::uint8_t { open, private_, presence };

// By prefix, with its dash: "privateer" is open; private-encrypted-… is private.
ChannelKind channel_kind(std::string_view name) noexcept;
// 1 to channel_name_bytes_max of [A-Za-z0-9_-=@,.;].
bool is_channel_name(std::string_view name) noexcept;

// --- messages -----------------------------------------------------------------------------------

enum class InboundKind : std::uint8_t {
  malformed,     // not an object, no event, parts of the wrong type: error 4200
  ping,          // pusher:ping
  pong,          // pusher:pong
  subscribe,     // pusher:subscribe
  unsubscribe,   // pusher:unsubscribe
  signin,        // pusher:signin
  unknown,       // another pusher:…: error 4200
  client_event,  // client-…
  ignored        // any other name
};

// Views live until the parser's next call.
struct Inbound {
  InboundKind kind = InboundKind::malformed;
  std::string_view event;
  std::string_view channel;  // subscribe, unsubscribe, client_event
  std::string_view auth;     // subscribe; "" when null or absent
  std::string_view channel_data;
  bool has_channel_data = false;
};

// A member of a presence channel, as its channel_data names it.
struct MemberData {
  std::string key;   // the id as text: 1 and "1" are one user
  std::string id;    // the id as JSON: 1 or "1"
  std::string info;  // user_info as JSON; "" when absent
};

enum class MemberCheck : std::uint8_t { ok, malformed, no_user_id };

class InboundParser {
 public:
  InboundParser();
  InboundParser(const InboundParser&) = delete;
  InboundParser& operator=(const InboundParser&) = delete;
  ~InboundParser();

  // Limits: nesting up to json_depth_max. The size is bounded by the WebSocket message limit.
  Inbound parse(Bytes message);
  // The `data` of the client_event that parse() returned last, as text: a string as it is, any
  // other value as its JSON, "null" when there is none. Valid until the next parse().
  std::string_view client_event_data();
  // Parses the channel_data of a presence subscription; what parse() returned stays valid.
  MemberCheck parse_member(std::string_view channel_data, MemberData& member);

 private:
  struct Json;  // hides Boost.JSON and its memory
  std::unique_ptr<Json> json_;
};

}  // namespace portero::hub
