// Channel: what one shard knows of one channel. The first part is about the shard's own sockets;
// the second is the truth about the channel and is filled only in its home shard.
// A channel exists in a shard while a socket there has joined or is joining it, or, at home, while
// anyone has: a refused subscription leaves nothing behind.
// Thread: the shard.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/keyed_hash.hpp"
#include "hub/presence.hpp"

namespace portero::hub {

class Socket;
struct AppState;

// A local subscriber. The socket's membership knows the position of this entry in its channel, and
// this entry the position of the membership in its socket, so both ways of removal are O(1).
struct Subscriber {
  Socket* socket = nullptr;
  std::uint32_t membership = 0;
};

struct Channel {
  explicit Channel(AppState& of_app) noexcept : app(&of_app) {}

  AppState* app;
  std::string_view name;  // the key under which the app's map owns this channel

  // This shard's sockets.
  std::vector<Subscriber> subscribers;
  std::uint32_t joining = 0;  // sockets whose subscription the home has not answered yet

  // The truth, at home.
  std::uint32_t subscription_count = 0;
  std::vector<std::uint32_t> count_by_worker;
  std::unique_ptr<Roster> roster;  // of a presence channel with members

  bool in_use() const noexcept {
    return !subscribers.empty() || joining != 0 || subscription_count != 0;
  }
};

// The channels of one app in one shard. Channels keep their address.
using ChannelMap = std::unordered_map<std::string, Channel, KeyedHash, std::equal_to<>>;

// What a presence subscriber is called.
struct MemberName {
  std::string key;  // as text
  std::string id;   // as JSON
};

// A socket's side of a subscription: 24 bytes.
struct Membership {
  Channel* channel = nullptr;
  std::uint32_t position = 0;  // in channel->subscribers; while joining: the ticket of the request
  bool joined = false;
  std::unique_ptr<MemberName> member;  // of a presence channel
};

}  // namespace portero::hub
