// The Pusher messages of a client: any bytes parse to something, and what the hub would relay of
// them is a frame of valid JSON.
#include <cstdint>
#include <cstdlib>
#include <string>

#include <boost/json/parse.hpp>

#include "hub/presence.hpp"
#include "hub/pusher_frames.hpp"
#include "hub/pusher_protocol.hpp"

using namespace portero;
using namespace portero::hub;

namespace {

void require_json(const FrameRef& frame) {
  Bytes bytes = frame->bytes();
  const auto length = static_cast<unsigned char>(bytes[1]);
  bytes.remove_prefix(length < 126 ? 2 : length == 126 ? 4 : 10);
  boost::system::error_code ec;
  boost::json::parse_options options;
  options.max_depth = json_depth_max + 4;
  boost::json::parse({bytes.data(), bytes.size()}, ec, {}, options);
  if (ec) std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static InboundParser parser;
  const Bytes text(reinterpret_cast<const char*>(data), size);
  const Inbound inbound = parser.parse(text);
  if (inbound.kind == InboundKind::client_event) {
    require_json(frames::client_event(inbound.channel.substr(0, 200), inbound.event,
                                      parser.client_event_data(), "1"));
  }
  if (inbound.kind == InboundKind::subscribe) {
    require_json(frames::subscription_error(inbound.channel, "t", inbound.auth, 401));
  }
  MemberData member;
  const Bytes channel_data = inbound.has_channel_data ? inbound.channel_data : text;
  if (parser.parse_member(channel_data, member) == MemberCheck::ok) {
    Roster roster;
    if (roster.join(member, 1) != Roster::Join::first_of_user) std::abort();
    require_json(frames::presence_subscription_succeeded("presence-x", roster.to_json()));
    require_json(frames::member_added("presence-x", member));
    if (roster.leave(member.key) != member.id) std::abort();
  }
  return 0;
}
