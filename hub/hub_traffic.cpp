#include "hub/hub_traffic.hpp"

#include <algorithm>

#include "hub/api_route.hpp"

namespace portero::hub {
namespace {

bool hints_at_websocket(const http::Request& request) noexcept {
  static constexpr std::string_view prefix = "sec-websocket-";
  return std::any_of(request.headers.begin(), request.headers.end(), [](const http::Field& field) {
    return field.id == http::FieldId::upgrade ||
           (field.name.size() > prefix.size() &&
            iequals(field.name.substr(0, prefix.size()), prefix));
  });
}

bool is_socket_traffic(const http::Request& request, const HubShard& shard,
                       const conf::HubRef& apps) {
  const std::string_view key = socket_path_key(request.path);
  if (key.empty()) return false;
  if (request.is_websocket_upgrade()) return true;
  if (request.method != http::Method::get && request.method != http::Method::head) return false;
  if (hints_at_websocket(request)) return true;
  const App* const app = shard.find_app_by_key(key);
  return app != nullptr && serves_app(apps, app->id);
}

bool is_api_traffic(const http::Request& request, const HubShard& shard, const conf::HubRef& apps) {
  Arena arena;  // takes no memory unless the path has escapes
  const std::optional<ApiRoute> route = parse_api_route(request.raw_path, arena);
  if (!route || route->resource == ApiResource::up) return false;
  return serves_app(apps, route->app_id) && shard.find_app_by_id(route->app_id) != nullptr;
}

}  // namespace

std::string_view socket_path_key(std::string_view path) noexcept {
  constexpr std::string_view prefix = "/app/";
  if (!path.starts_with(prefix)) return {};
  path.remove_prefix(prefix.size());
  return path.find('/') == std::string_view::npos ? path : std::string_view();
}

bool serves_app(const conf::HubRef& apps, std::string_view app_id) noexcept {
  return apps.all || std::find(apps.apps.begin(), apps.apps.end(), app_id) != apps.apps.end();
}

bool is_hub_traffic(const http::Request& request, const HubShard& shard, const conf::HubRef& apps) {
  return is_socket_traffic(request, shard, apps) || is_api_traffic(request, shard, apps);
}

}  // namespace portero::hub
