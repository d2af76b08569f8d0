// HubShard as the home of channels: the truth about who is in, and the order of what happens.
#include "base/assert.hpp"
#include "hub/shard.hpp"

namespace portero::hub {

void HubShard::handle(Join& message) {
  AppState& app = apps_.by_number(message.app);
  Channel& channel = app.channel(message.channel);
  Joined joined{message.app, std::move(message.channel), message.socket, message.ticket, {}, {}};
  const std::uint32_t worker = message.socket.worker;
  if (message.member != nullptr) {
    if (channel.roster == nullptr) channel.roster = std::make_unique<Roster>();
    const Roster::Join join = channel.roster->join(*message.member, message.members_max);
    if (join == Roster::Join::full) {
      if (channel.subscription_count == 0) channel.roster.reset();
      app.drop_if_unused(channel);
      JoinRefused refused{joined.app, std::move(joined.channel), joined.socket, joined.ticket};
      if (worker == self()) return handle(refused);
      return post(worker, std::move(refused));
    }
    // Others hear of a new user before the user hears of its success.
    if (join == Roster::Join::first_of_user) {
      home_publish(channel, frames::member_added(channel.name, *message.member), {});
    }
    joined.member_key = message.member->key;
    joined.success =
        frames::presence_subscription_succeeded(channel.name, channel.roster->to_json());
  } else {
    joined.success = frames::subscription_succeeded(channel.name);
  }
  if (channel.subscription_count++ == 0) stats_.channels.add();
  if (channel.count_by_worker.empty()) channel.count_by_worker.resize(hub_.worker_count());
  ++channel.count_by_worker[worker];
  if (worker == self()) return handle(joined);
  post(worker, std::move(joined));
}

void HubShard::handle(JoinAgain& message) {
  Channel* const channel = apps_.by_number(message.app).find_channel(message.channel);
  if (channel == nullptr || channel->subscription_count == 0) return;  // left meanwhile
  FrameRef frame = channel->roster != nullptr ? frames::presence_subscription_succeeded(
                                                    channel->name, channel->roster->to_json())
                                              : frames::subscription_succeeded(channel->name);
  SendTo answer{message.socket, std::move(frame)};
  if (message.socket.worker == self()) return handle(answer);
  post(message.socket.worker, std::move(answer));
}

void HubShard::handle(Leave& message) {
  AppState& app = apps_.by_number(message.app);
  Channel* const channel = app.find_channel(message.channel);
  PORTERO_ASSERT(channel != nullptr);
  home_leave(*channel, message.worker, message.member_key);
  app.drop_if_unused(*channel);
}

// Does not drop the channel: the caller does, when it has finished with it.
void HubShard::home_leave(Channel& channel, std::uint32_t worker, std::string_view member_key) {
  PORTERO_ASSERT(channel.subscription_count > 0 && channel.count_by_worker[worker] > 0);
  --channel.count_by_worker[worker];
  if (--channel.subscription_count == 0) stats_.channels.sub();
  if (channel.roster == nullptr) return;
  if (const std::optional<std::string> id = channel.roster->leave(member_key)) {
    home_publish(channel, frames::member_removed(channel.name, *id), {});
  }
  if (channel.roster->user_count() == 0) channel.roster.reset();
}

void HubShard::handle(Publication& message) {
  stats_.publishes.add();
  Channel* const channel = apps_.by_number(message.app).find_channel(message.frame->channel());
  if (channel != nullptr) home_publish(*channel, message.frame, message.except);
}

// One message per worker that has subscribers, whatever their number.
void HubShard::home_publish(Channel& channel, const FrameRef& frame, SocketId except) {
  if (channel.subscription_count == 0) return;
  for (std::uint32_t worker = 0; worker < channel.count_by_worker.size(); ++worker) {
    if (channel.count_by_worker[worker] == 0) continue;
    if (worker == self()) {
      deliver(channel, frame, except);
    } else {
      post(worker, Delivery{channel.app->number, frame, except});
    }
  }
}

}  // namespace portero::hub
