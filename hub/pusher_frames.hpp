// What the hub says in the Pusher protocol 7: each function returns one encoded text frame. What
// stands as a JSON string and what as a JSON value follows what the SDKs need: `data` of an error
// is an object (the Swift SDK drops a string there), `data` of everything else is a string.
// Thread: any. Texts given as "JSON" must be valid JSON; everything else is escaped here.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/clock.hpp"
#include "hub/frame.hpp"
#include "hub/pusher_protocol.hpp"

namespace portero::hub {

// Codes of pusher:error and of Close frames. What pusher-js does: 4000–4099 never again, 4100–4199
// again after a second, 4200–4299 again at once.
enum class PusherCode : std::uint16_t {
  unknown_app = 4001,
  over_quota = 4004,
  unauthorized = 4009,
  busy = 4100,  // over a limit that passes: of an address, of a slow socket, of a draining server
  reconnect = 4200,
  bad_message = 4200,
  no_pong = 4201,
  client_event_refused = 4301,
  rate_limit = 4301
};

// Appends `text` as the inside of a JSON string. Bytes that are not UTF-8 become U+FFFD.
void append_json_text(std::string& out, std::string_view text);

namespace frames {

FrameRef connection_established(std::string_view socket_id, Milliseconds activity_timeout);
FrameRef error(PusherCode code, std::string_view message);
FrameRef pong();
FrameRef subscription_succeeded(std::string_view channel);
// `roster` is JSON: {"count":…,"ids":[…],"hash":{…}}.
FrameRef presence_subscription_succeeded(std::string_view channel, std::string_view roster);
FrameRef subscription_error(std::string_view channel, std::string_view type,
                            std::string_view message, unsigned status);
FrameRef member_added(std::string_view channel, const MemberData& member);
FrameRef member_removed(std::string_view channel, std::string_view user_id_json);
FrameRef event(std::string_view channel, std::string_view event, std::string_view data);
// `user_id_json` is "" outside presence channels.
FrameRef client_event(std::string_view channel, std::string_view event, std::string_view data,
                      std::string_view user_id_json);
// A Close frame; `reason` is cut to what fits (123 bytes).
FrameRef close(unsigned code, std::string_view reason);

}  // namespace frames

}  // namespace portero::hub
