#include "hub/client_messages.hpp"

#include "hub/channel_auth.hpp"
#include "hub/shard.hpp"

namespace portero::hub {
namespace {

constexpr std::size_t quoted_bytes_max = 300;  // of what a client sent, repeated in an error

std::string quoted(std::string_view text) {
  std::string out = "'";
  out += text.substr(0, quoted_bytes_max);
  if (text.size() > quoted_bytes_max) out += "…";
  return out + "'";
}

}  // namespace

void ClientMessages::handle(Socket& socket, Bytes message) {
  if (!within_rate(socket)) return refuse_flood(socket);
  const Inbound inbound = parser_.parse(message);
  switch (inbound.kind) {
    case InboundKind::ping: return shard_.send(socket, frames::pong());
    case InboundKind::pong:
    case InboundKind::ignored: return;
    case InboundKind::subscribe: return subscribe(socket, inbound);
    case InboundKind::unsubscribe: return shard_.unsubscribe(socket, inbound.channel);
    case InboundKind::client_event: return client_event(socket, inbound);
    case InboundKind::signin:
      return error(socket, PusherCode::bad_message, "pusher:signin is not supported");
    case InboundKind::unknown:
    case InboundKind::malformed: break;
  }
  error(socket, PusherCode::bad_message, "Invalid message format");
}

// A fixed window, counting every message, pusher:ping included; control frames are free.
bool ClientMessages::within_rate(Socket& socket) {
  const conf::RateLimit& limit = socket.app->app.messages;
  if (limit.count == 0) return true;
  const Deciseconds now = deciseconds_now();
  if (socket.window_count == 0 || now - socket.window_start >= to_deciseconds(limit.per)) {
    socket.window_start = now;
    socket.window_count = 0;
  }
  if (socket.window_count >= limit.count) return false;
  ++socket.window_count;
  return true;
}

void ClientMessages::refuse_flood(Socket& socket) {
  constexpr std::string_view why = "Rate limit exceeded";
  if (!socket.app->app.close_over_messages) return error(socket, PusherCode::rate_limit, why);
  shard_.fail(socket, PusherCode::rate_limit, why);
}

void ClientMessages::subscribe(Socket& socket, const Inbound& inbound) {
  const std::string_view channel = inbound.channel;
  if (channel.starts_with('#')) {
    return refuse_subscription(socket, channel.substr(0, channel_name_bytes_max), "AuthError",
                               "Channels of a user need pusher:signin, which is not supported",
                               401);
  }
  if (!is_channel_name(channel)) {
    return refuse_subscription(socket, channel.substr(0, channel_name_bytes_max), "LimitReached",
                               "A channel name has 1 to 200 characters of A-Z a-z 0-9 _-=@,.;",
                               4009);
  }
  const ChannelKind kind = channel_kind(channel);
  std::unique_ptr<MemberData> member;
  if (kind == ChannelKind::presence && inbound.has_channel_data) {
    member = std::make_unique<MemberData>();
    const MemberCheck check = parser_.parse_member(inbound.channel_data, *member);
    if (check == MemberCheck::malformed) {
      return error(socket, PusherCode::bad_message, "Invalid message format");
    }
    if (check == MemberCheck::no_user_id) member.reset();
  }
  if (kind != ChannelKind::open && !is_authorized(socket, inbound)) return;
  if (kind == ChannelKind::presence && !may_be_member(socket, channel, member.get())) return;
  shard_.subscribe(socket, channel, std::move(member));
}

bool ClientMessages::is_authorized(Socket& socket, const Inbound& inbound) {
  const App& app = socket.app->app;
  const std::string to_sign =
      channel_string_to_sign(socket.id.to_string(), inbound.channel,
                             inbound.has_channel_data ? &inbound.channel_data : nullptr);
  std::string why = "Connection is unauthorized: ";
  switch (check_channel_auth(inbound.auth, app.key, app.secret, to_sign)) {
    case ChannelAuth::ok: return true;
    case ChannelAuth::missing: why += "the subscription carries no auth"; break;
    case ChannelAuth::foreign_key:
      why += "Invalid key in subscription auth data: " +
             quoted(inbound.auth.substr(0, inbound.auth.find(':')));
      break;
    case ChannelAuth::bad_signature:
      why += "Invalid signature: Expected HMAC SHA256 hex digest of " + quoted(to_sign) +
             " under the app's secret";
      break;
  }
  error(socket, PusherCode::unauthorized, why);
  refuse_subscription(socket, inbound.channel, "AuthError", why, 401);
  return false;
}

bool ClientMessages::may_be_member(Socket& socket, std::string_view channel,
                                   const MemberData* member) {
  if (member == nullptr) {
    constexpr std::string_view why =
        "Connection is unauthorized: channel_data has no user_id of 1 to 128 bytes";
    error(socket, PusherCode::unauthorized, why);
    refuse_subscription(socket, channel, "AuthError", why, 401);
    return false;
  }
  if (member->info.size() > socket.app->app.presence_member_bytes_max) {
    refuse_subscription(socket, channel, "LimitReached",
                        "The user_info of a member may have " +
                            std::to_string(socket.app->app.presence_member_bytes_max) + " bytes",
                        4301);
    return false;
  }
  return true;
}

void ClientMessages::client_event(Socket& socket, const Inbound& inbound) {
  const auto refused = [&](std::string_view why) {
    error(socket, PusherCode::client_event_refused, why);
  };
  const conf::ClientEvents accepted = socket.app->app.client_events;
  if (accepted == conf::ClientEvents::none) {
    return refused("The app does not have client messaging enabled.");
  }
  if (accepted == conf::ClientEvents::members &&
      channel_kind(inbound.channel) == ChannelKind::open) {
    return refused("Client events are accepted on private and presence channels only.");
  }
  const Membership* const membership = shard_.find_membership(socket, inbound.channel);
  if (membership == nullptr || !membership->joined) {
    return error(socket, PusherCode::unauthorized,
                 "The client is not a member of the specified channel.");
  }
  if (inbound.event.size() > client_event_name_bytes_max) {
    return refused("Event name is too long: at most 200 bytes.");
  }
  const std::string_view data = parser_.client_event_data();
  if (data.size() > client_event_data_bytes_max) {
    return refused("The event data should be less than 10 KB.");
  }
  const std::string_view user_id =
      membership->member != nullptr ? std::string_view(membership->member->id) : std::string_view();
  shard_.publish_frame(
      *socket.app, frames::client_event(inbound.channel, inbound.event, data, user_id), socket.id);
}

void ClientMessages::error(Socket& socket, PusherCode code, std::string_view message) {
  shard_.send(socket, frames::error(code, message));
}

void ClientMessages::refuse_subscription(Socket& socket, std::string_view channel,
                                         std::string_view type, std::string_view message,
                                         unsigned status) {
  shard_.send(socket, frames::subscription_error(channel, type, message, status));
}

}  // namespace portero::hub
