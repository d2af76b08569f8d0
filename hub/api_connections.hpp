// GET /apps/{id}/connections and POST /apps/{id}/users/{user}/terminate_connections.
// Thread: the worker of the shard. Views must live until the task has ended.
#pragma once

#include <string_view>

#include "base/task.hpp"
#include "hub/api_answer.hpp"
#include "hub/shard.hpp"

namespace portero::hub {

// {"connections":2}: open sockets of the app, subscribed or not.
Task<ApiAnswer> get_connections(HubShard& shard, std::string_view app_id);

// {}: every socket of the user has been told to close. A user without sockets is no error.
Task<ApiAnswer> post_terminate_user(HubShard& shard, std::string_view app_id,
                                    std::string_view user_id);

}  // namespace portero::hub
