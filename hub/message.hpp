// What the shards of a hub say to each other. Values only: ids, text and shared immutable frames.
// Thread: any.
#pragma once

#include <memory>
#include <string>
#include <variant>
#include <vector>

#include "hub/frame.hpp"
#include "hub/identity.hpp"
#include "hub/pusher_protocol.hpp"
#include "hub/shard_api.hpp"

namespace portero::hub {

// A socket asks the home to let it into a channel; answered by Joined or JoinRefused with the same
// ticket.
struct Join {
  AppNumber app = 0;
  std::string channel;
  SocketRef socket;
  std::uint32_t ticket = 0;
  std::unique_ptr<MemberData> member;  // of a presence channel
  std::size_t members_max = 0;
};

// The home has counted the socket in. If it does not want to be in any more, its shard answers
// Leave: exactly one Leave follows each Joined.
struct Joined {
  AppNumber app = 0;
  std::string channel;
  SocketRef socket;
  std::uint32_t ticket = 0;
  FrameRef success;        // the frame to send
  std::string member_key;  // of a presence channel
};

// The presence channel is full.
struct JoinRefused {
  AppNumber app = 0;
  std::string channel;
  SocketRef socket;
  std::uint32_t ticket = 0;
};

// A socket that had joined subscribes again: it gets the success frame once more.
struct JoinAgain {
  AppNumber app = 0;
  std::string channel;
  SocketRef socket;
};

struct Leave {
  AppNumber app = 0;
  std::string channel;
  std::uint32_t worker = 0;
  std::string member_key;  // of a presence channel
};

// A frame for one socket.
struct SendTo {
  SocketRef socket;
  FrameRef frame;
};

// An event on its way to the channel's home; the frame names the channel.
struct Publication {
  AppNumber app = 0;
  FrameRef frame;
  SocketId except;
};

// An event on its way from the home to a worker with subscribers.
struct Delivery {
  AppNumber app = 0;
  FrameRef frame;
  SocketId except;
};

// Who asked a question.
struct Asker {
  std::uint32_t worker = 0;
  std::uint32_t ticket = 0;
};

struct AskChannels {
  Asker asker;
  AppNumber app = 0;
  std::string prefix;
};
struct AskChannel {
  Asker asker;
  AppNumber app = 0;
  std::string name;
};
struct AskUsers {
  Asker asker;
  AppNumber app = 0;
  std::string name;
};
struct TerminateUser {
  Asker asker;
  AppNumber app = 0;
  std::string user_key;
};

struct Answer {
  std::uint32_t ticket = 0;
  std::vector<ChannelInfo> channels;
  std::vector<std::string> users;
  std::size_t count = 0;
};

using HubMessage = std::variant<Join, Joined, JoinRefused, JoinAgain, Leave, SendTo, Publication,
                                Delivery, AskChannels, AskChannel, AskUsers, TerminateUser, Answer>;

}  // namespace portero::hub
