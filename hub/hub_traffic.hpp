// Which requests of a site are the hub's. A site whose own pages live under /app keeps them:
//   GET /app/{key} with an Upgrade (or an extended CONNECT);
//   plain GET /app/{key} of a configured app, or with any sign of a WebSocket handshake in it: the
//   hub then says what is wrong;
//   /apps/{id}/events, batch_events, channels…, connections, users/… of a configured app.
// Thread: the worker. Pure but for the look at the shard's apps.
#pragma once

#include <string_view>

#include "conf/config.hpp"
#include "http/message.hpp"
#include "hub/shard.hpp"

namespace portero::hub {

// The {key} of a path that is exactly /app/{key}; "" for every other path.
std::string_view socket_path_key(std::string_view path) noexcept;

// Whether a site that refers to `apps` serves the app with this id.
bool serves_app(const conf::HubRef& apps, std::string_view app_id) noexcept;

bool is_hub_traffic(const http::Request& request, const HubShard& shard, const conf::HubRef& apps);

}  // namespace portero::hub
