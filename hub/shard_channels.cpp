// HubShard's part about its own sockets and the channels they are in.
#include <algorithm>

#include "base/assert.hpp"
#include "hub/shard.hpp"

namespace portero::hub {
namespace {

std::string key_of(const Membership& membership) {
  return membership.member != nullptr ? membership.member->key : std::string();
}

}  // namespace

void HubShard::subscribe(Socket& socket, std::string_view name,
                         std::unique_ptr<MemberData> member) {
  PORTERO_ASSERT(socket.state == SocketState::open);
  AppState& app = *socket.app;
  if (Channel* const known = app.find_channel(name)) {
    if (Membership* const existing = find_membership(socket, *known)) {
      if (member == nullptr || existing->member->key == member->key) {
        return subscribe_again(socket, *existing);
      }
      // The same socket under another user id: the first user has left.
      remove_membership(socket, static_cast<std::size_t>(existing - socket.memberships.data()));
    }
  }
  if (socket.memberships.size() >= memberships_max) {
    return send(socket, frames::subscription_error(name, "LimitReached",
                                                   "This socket is in too many channels", 4100));
  }
  Channel& channel = app.channel(name);
  Membership membership;
  membership.channel = &channel;
  membership.position = next_ticket_++;
  if (member != nullptr) {
    membership.member = std::make_unique<MemberName>(MemberName{member->key, member->id});
  }
  Join join{app.number,          std::string(name), socket.ref,
            membership.position, std::move(member), app.app.presence_members_max};
  ++channel.joining;
  socket.memberships.push_back(std::move(membership));
  const std::uint32_t home = hub_.home_of(app.number, name);
  if (home == self()) return handle(join);
  post(home, std::move(join));
}

// A socket that is in already only hears again that it is.
void HubShard::subscribe_again(Socket& socket, Membership& membership) {
  const Channel& channel = *membership.channel;
  const AppNumber app = channel.app->number;
  if (membership.joined && membership.member == nullptr) {
    return send(socket, frames::subscription_succeeded(channel.name));
  }
  // Only the home knows the roster, and only it can put this behind an answer under way.
  JoinAgain again{app, std::string(channel.name), socket.ref};
  const std::uint32_t home = hub_.home_of(app, channel.name);
  if (home == self()) return handle(again);
  post(home, std::move(again));
}

void HubShard::handle(Joined& message) {
  AppState& app = apps_.by_number(message.app);
  Socket* const socket = sockets_.find(message.socket);
  if (socket != nullptr && socket->state == SocketState::open) {
    queue_.push(*socket, std::move(message.success));
    stats_.messages_out.add();
  }
  Channel& channel = app.channel(message.channel);
  Membership* const membership = socket != nullptr ? find_membership(*socket, channel) : nullptr;
  if (membership == nullptr || membership->joined || membership->position != message.ticket) {
    // It left before the home's answer came.
    tell_leave(channel, std::move(message.member_key));
    return app.drop_if_unused(channel);
  }
  membership->joined = true;
  membership->position = static_cast<std::uint32_t>(channel.subscribers.size());
  const auto index = static_cast<std::uint32_t>(membership - socket->memberships.data());
  channel.subscribers.push_back({socket, index});
  PORTERO_ASSERT(channel.joining > 0);
  --channel.joining;
  stats_.subscriptions.add();
}

void HubShard::handle(JoinRefused& message) {
  Socket* const socket = sockets_.find(message.socket);
  if (socket == nullptr || socket->state != SocketState::open) return;
  send(*socket, frames::subscription_error(message.channel, "LimitReached",
                                           "The presence channel is full", 4100));
  Channel* const channel = apps_.by_number(message.app).find_channel(message.channel);
  if (channel == nullptr) return;
  Membership* const membership = find_membership(*socket, *channel);
  if (membership == nullptr || membership->joined || membership->position != message.ticket) return;
  remove_membership(*socket, static_cast<std::size_t>(membership - socket->memberships.data()));
}

void HubShard::handle(SendTo& message) {
  Socket* const socket = sockets_.find(message.socket);
  if (socket != nullptr) send(*socket, std::move(message.frame));
}

void HubShard::unsubscribe(Socket& socket, std::string_view name) {
  Channel* const channel = socket.app->find_channel(name);
  if (channel == nullptr) return;
  Membership* const membership = find_membership(socket, *channel);
  if (membership == nullptr) return;
  remove_membership(socket, static_cast<std::size_t>(membership - socket.memberships.data()));
}

void HubShard::leave_all(Socket& socket) {
  while (!socket.memberships.empty()) remove_membership(socket, socket.memberships.size() - 1);
  socket.memberships = std::vector<Membership>();  // an empty one keeps no storage
}

const Membership* HubShard::find_membership(const Socket& socket, std::string_view name) {
  Channel* const channel = socket.app->find_channel(name);
  return channel != nullptr ? find_membership(const_cast<Socket&>(socket), *channel) : nullptr;
}

// Looks through the shorter of the two lists that know.
Membership* HubShard::find_membership(Socket& socket, Channel& channel) {
  if (channel.joining == 0 && channel.subscribers.size() < socket.memberships.size()) {
    for (const Subscriber& subscriber : channel.subscribers) {
      if (subscriber.socket == &socket) return &socket.memberships[subscriber.membership];
    }
    return nullptr;
  }
  for (Membership& membership : socket.memberships) {
    if (membership.channel == &channel) return &membership;
  }
  return nullptr;
}

void HubShard::remove_membership(Socket& socket, std::size_t index) {
  PORTERO_ASSERT(index < socket.memberships.size());
  const Membership gone = std::move(socket.memberships[index]);
  if (index + 1 != socket.memberships.size()) {
    socket.memberships[index] = std::move(socket.memberships.back());
    const Membership& moved = socket.memberships[index];
    if (moved.joined) {
      moved.channel->subscribers[moved.position].membership = static_cast<std::uint32_t>(index);
    }
  }
  socket.memberships.pop_back();

  Channel& channel = *gone.channel;
  if (gone.joined) {
    std::vector<Subscriber>& subscribers = channel.subscribers;
    const Subscriber moved = subscribers.back();
    subscribers[gone.position] = moved;
    subscribers.pop_back();
    if (moved.socket != &socket) {
      moved.socket->memberships[moved.membership].position = gone.position;
    }
    stats_.subscriptions.sub();
    tell_leave(channel, key_of(gone));
  } else {
    // The home's answer is under way; Leave follows when it comes.
    PORTERO_ASSERT(channel.joining > 0);
    --channel.joining;
  }
  channel.app->drop_if_unused(channel);
}

void HubShard::tell_leave(Channel& channel, std::string member_key) {
  const AppNumber app = channel.app->number;
  const std::uint32_t home = hub_.home_of(app, channel.name);
  if (home == self()) return home_leave(channel, self(), member_key);
  post(home, Leave{app, std::string(channel.name), self(), std::move(member_key)});
}

void HubShard::handle(Delivery& message) {
  Channel* const channel = apps_.by_number(message.app).find_channel(message.frame->channel());
  if (channel != nullptr) deliver(*channel, std::move(message.frame), message.except);
}

// The fan-out: per subscriber one pointer and, once a turn, a place in the list of dirty sockets.
void HubShard::deliver(Channel& channel, FrameRef frame, SocketId except) {
  if (channel.subscribers.empty()) return;
  LocalFrame* const local = queue_.wrap(std::move(frame));
  std::int64_t count = 0;
  for (const Subscriber& subscriber : channel.subscribers) {
    if (except && subscriber.socket->id == except) continue;
    queue_.push(*subscriber.socket, local);
    ++count;
  }
  queue_.retire(local);
  stats_.messages_out.add(count);
}

}  // namespace portero::hub
