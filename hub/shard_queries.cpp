// HubShard's answers about channels and users. A question goes to the shards that know; the asking
// coroutine waits until all have answered. Shards always answer, at latest in their next turn.
#include <algorithm>

#include "base/assert.hpp"
#include "hub/shard.hpp"

namespace portero::hub {
namespace {

ChannelInfo describe(std::string_view name, const Channel* channel) {
  ChannelInfo info;
  info.name = name;
  if (channel == nullptr) return info;
  info.occupied = channel->subscription_count > 0;
  info.subscription_count = channel->subscription_count;
  info.user_count = channel->roster != nullptr ? channel->roster->user_count() : 0;
  return info;
}

void add_to(Answer& sum, Answer&& part) {
  std::move(part.channels.begin(), part.channels.end(), std::back_inserter(sum.channels));
  std::move(part.users.begin(), part.users.end(), std::back_inserter(sum.users));
  sum.count += part.count;
}

}  // namespace

// Asks `workers`, this one among them or not, and sums up.
template <class Question>
Task<Answer> HubShard::ask(std::vector<std::uint32_t> workers, Question question) {
  Gathering gathering;
  gathering.missing = workers.size();
  const std::uint32_t ticket = next_ticket_++;
  gatherings_.emplace(ticket, &gathering);
  for (const std::uint32_t worker : workers) {
    Question copy = question;
    copy.asker = {self(), ticket};
    if (worker == self()) {
      handle(copy);
    } else {
      post(worker, std::move(copy));
    }
  }
  while (gathering.missing > 0 && !aborted_) co_await gathering.complete;
  gatherings_.erase(ticket);
  co_return std::move(gathering.sum);
}

void HubShard::handle(Answer& message) {
  const auto found = gatherings_.find(message.ticket);
  if (found == gatherings_.end()) return;  // given up
  Gathering& gathering = *found->second;
  add_to(gathering.sum, std::move(message));
  if (--gathering.missing == 0) gathering.complete.signal();
}

void HubShard::reply(const Asker& asker, Answer answer) {
  answer.ticket = asker.ticket;
  if (asker.worker == self()) return handle(answer);
  post(asker.worker, std::move(answer));
}

Task<std::vector<ChannelInfo>> HubShard::channels(std::string app_id, std::string prefix) {
  const AppState* const app = apps_.find_by_id(app_id);
  if (app == nullptr) co_return std::vector<ChannelInfo>();
  AskChannels question{{}, app->number, std::move(prefix)};
  Answer answer = co_await ask(all_workers(), std::move(question));
  co_return std::move(answer.channels);
}

Task<ChannelInfo> HubShard::channel(std::string app_id, std::string name) {
  const AppState* const app = apps_.find_by_id(app_id);
  if (app == nullptr) co_return describe(name, nullptr);
  const std::vector<std::uint32_t> home(1, hub_.home_of(app->number, name));
  AskChannel question{{}, app->number, std::move(name)};
  Answer answer = co_await ask(home, std::move(question));
  if (answer.channels.empty()) co_return describe({}, nullptr);  // given up
  co_return std::move(answer.channels.front());
}

Task<std::vector<std::string>> HubShard::channel_users(std::string app_id, std::string name) {
  const AppState* const app = apps_.find_by_id(app_id);
  if (app == nullptr) co_return std::vector<std::string>();
  const std::vector<std::uint32_t> home(1, hub_.home_of(app->number, name));
  AskUsers question{{}, app->number, std::move(name)};
  Answer answer = co_await ask(home, std::move(question));
  co_return std::move(answer.users);
}

Task<std::size_t> HubShard::connections(std::string app_id) {
  const AppState* const app = apps_.find_by_id(app_id);
  co_return app != nullptr ? app->totals->connections() : 0;
}

Task<std::size_t> HubShard::terminate_user(std::string app_id, std::string user_id) {
  const AppState* const app = apps_.find_by_id(app_id);
  if (app == nullptr) co_return 0;
  TerminateUser question{{}, app->number, std::move(user_id)};
  const Answer answer = co_await ask(all_workers(), std::move(question));
  co_return answer.count;
}

std::vector<std::uint32_t> HubShard::all_workers() const {
  std::vector<std::uint32_t> workers;
  for (std::uint32_t worker = 0; worker < hub_.worker_count(); ++worker) workers.push_back(worker);
  return workers;
}

void HubShard::handle(AskChannels& message) {
  Answer answer;
  for (const auto& [name, channel] : apps_.by_number(message.app).channels) {
    if (channel.subscription_count == 0 || !name.starts_with(message.prefix)) continue;
    answer.channels.push_back(describe(name, &channel));
  }
  reply(message.asker, std::move(answer));
}

void HubShard::handle(AskChannel& message) {
  Answer answer;
  const Channel* const channel = apps_.by_number(message.app).find_channel(message.name);
  answer.channels.push_back(describe(message.name, channel));
  reply(message.asker, std::move(answer));
}

void HubShard::handle(AskUsers& message) {
  Answer answer;
  const Channel* const channel = apps_.by_number(message.app).find_channel(message.name);
  if (channel != nullptr && channel->roster != nullptr) answer.users = channel->roster->ids();
  reply(message.asker, std::move(answer));
}

void HubShard::handle(TerminateUser& message) {
  const AppState& app = apps_.by_number(message.app);
  Answer answer;
  sockets_.for_each([&](Socket& socket) {
    if (socket.app != &app || socket.state != SocketState::open) return;
    const bool is_user = std::any_of(
        socket.memberships.begin(), socket.memberships.end(), [&](const Membership& membership) {
          return membership.member != nullptr && membership.member->key == message.user_key;
        });
    if (!is_user) return;
    ++answer.count;
    fail(socket, PusherCode::unauthorized, "The app has terminated the connections of this user");
  });
  reply(message.asker, std::move(answer));
}

}  // namespace portero::hub
