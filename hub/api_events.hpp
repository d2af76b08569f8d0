// POST /apps/{id}/events and /apps/{id}/batch_events: what an application publishes.
// The answer does not wait for sockets: an event is handed to its channels and that is all. Only
// who asks for `info` waits for the homes of the channels to count.
// Thread: the worker of the shard.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/task.hpp"
#include "hub/api_answer.hpp"
#include "hub/api_info.hpp"
#include "hub/shard.hpp"

namespace portero::hub {

constexpr std::size_t event_channels_max = 100;
constexpr std::size_t event_name_bytes_max = 200;
constexpr std::size_t batch_events_max = 1'000;
constexpr unsigned api_json_depth_max = 16;

struct ApiEvent {
  Publish publish;
  InfoFields info;
};

struct ApiEvents {
  std::vector<ApiEvent> events;
  std::optional<ApiAnswer> fault;  // 400 for a body that is no JSON object, 422 for its fields
};

// Parse the body of /events (one event) and of /batch_events. `data` is kept verbatim. Pure.
ApiEvents parse_event(std::string_view body, std::string_view app_id);
ApiEvents parse_batch(std::string_view body, std::string_view app_id);

// Publish and answer. `body` must live until the task has ended.
Task<ApiAnswer> post_event(HubShard& shard, std::string_view app_id, std::string_view body);
Task<ApiAnswer> post_batch(HubShard& shard, std::string_view app_id, std::string_view body);

}  // namespace portero::hub
