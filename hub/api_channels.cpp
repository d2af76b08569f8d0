#include "hub/api_channels.hpp"

#include <fmt/format.h>

#include "hub/api_info.hpp"
#include "hub/pusher_protocol.hpp"

namespace portero::hub {

Task<ApiAnswer> get_channels(HubShard& shard, std::string_view app_id, const ApiQuery& query) {
  const InfoFields fields = parse_info(query.value("info"));
  const std::vector<ChannelInfo> channels =
      co_await shard.channels(std::string(app_id), std::string(query.value("filter_by_prefix")));

  ApiAnswer answer;
  answer.body = "{\"channels\":{";
  bool first = true;
  for (const ChannelInfo& channel : channels) {
    if (!first) answer.body += ',';
    first = false;
    append_json_string(answer.body, channel.name);
    answer.body += ":{";
    append_info_members(answer.body, channel, fields);
    answer.body += '}';
  }
  answer.body += "}}";
  co_return answer;
}

Task<ApiAnswer> get_channel(HubShard& shard, std::string_view app_id, std::string_view channel,
                            const ApiQuery& query) {
  const ChannelInfo info = co_await shard.channel(std::string(app_id), std::string(channel));
  std::string members;
  append_info_members(members, info, parse_info(query.value("info")));

  ApiAnswer answer;
  answer.body = info.occupied ? "{\"occupied\":true" : "{\"occupied\":false";
  if (!members.empty()) answer.body.append(1, ',').append(members);
  answer.body += '}';
  co_return answer;
}

Task<ApiAnswer> get_channel_users(HubShard& shard, std::string_view app_id,
                                  std::string_view channel) {
  if (channel_kind(channel) != ChannelKind::presence) {
    co_return api_error(400,
                        "only presence channels have users: the name of one starts with "
                        "\"presence-\"");
  }
  const std::vector<std::string> users =
      co_await shard.channel_users(std::string(app_id), std::string(channel));
  if (users.empty()) co_return api_error(404, "nobody is subscribed to this channel");

  ApiAnswer answer;
  answer.body = "{\"users\":[";
  for (const std::string& id : users) {
    if (&id != &users.front()) answer.body += ',';
    answer.body.append("{\"id\":").append(id).append(1, '}');
  }
  answer.body += "]}";
  co_return answer;
}

}  // namespace portero::hub
