// GET /apps/{id}/channels, /channels/{channel} and /channels/{channel}/users: what is occupied.
// Answers come from the homes of the channels, so they are the truth of all workers.
// Thread: the worker of the shard. Views must live until the task has ended.
#pragma once

#include <string_view>

#include "base/task.hpp"
#include "hub/api_answer.hpp"
#include "hub/api_query.hpp"
#include "hub/shard.hpp"

namespace portero::hub {

// {"channels":{"c":{},"presence-p":{"user_count":1}}}; parameters filter_by_prefix, info.
Task<ApiAnswer> get_channels(HubShard& shard, std::string_view app_id, const ApiQuery& query);

// {"occupied":true,"subscription_count":2}; parameter info. An unoccupied channel is no error.
Task<ApiAnswer> get_channel(HubShard& shard, std::string_view app_id, std::string_view channel,
                            const ApiQuery& query);

// {"users":[{"id":1},{"id":"2"}]}, each user once. 400 when it is no presence channel, 404 when
// nobody is there.
Task<ApiAnswer> get_channel_users(HubShard& shard, std::string_view app_id,
                                  std::string_view channel);

}  // namespace portero::hub
