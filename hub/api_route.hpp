// Which resource of the API a path names:
//   /apps/{id}/events · /apps/{id}/batch_events · /apps/{id}/channels[/{channel}[/users]]
//   /apps/{id}/connections · /apps/{id}/users/{user}/terminate_connections · /up
// Pure. Thread: any. Views point into the path or the arena.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/arena.hpp"

namespace portero::hub {

enum class ApiResource : std::uint8_t {
  up,
  events,
  batch_events,
  channels,
  channel,
  channel_users,
  connections,
  terminate_user,
};

struct ApiRoute {
  ApiResource resource = ApiResource::up;
  std::string_view app_id;  // decoded; "" for /up
  std::string_view name;    // decoded: the channel or the user, where there is one
  std::string_view path;    // from "/apps/" on, as sent: what clients sign
};

// Finds the resource; a prefix before "/apps/" is skipped (server path of Reverb, `/ws/apps/…`).
// `raw_path` is the path as sent, so that an escaped slash stays inside its segment.
// Errors: nullopt when the path names no resource.
std::optional<ApiRoute> parse_api_route(std::string_view raw_path, Arena& arena);

// Whether the resource changes something and so is asked for with POST; the others are GET.
bool takes_post(ApiResource resource) noexcept;

}  // namespace portero::hub
