#include "hub/api_route.hpp"

#include <array>

#include "hub/api_query.hpp"

namespace portero::hub {
namespace {

constexpr std::string_view apps_prefix = "/apps/";
constexpr std::size_t segments_max = 4;  // id/users/{user}/terminate_connections

struct Segments {
  std::array<std::string_view, segments_max> at;
  std::size_t count = 0;  // segments_max + 1: more than that
};

Segments split_segments(std::string_view path) noexcept {
  Segments segments;
  while (true) {
    const std::size_t slash = path.find('/');
    if (segments.count == segments_max) {
      ++segments.count;
      return segments;
    }
    segments.at[segments.count++] = path.substr(0, slash);
    if (slash == std::string_view::npos) return segments;
    path.remove_prefix(slash + 1);
  }
}

// The resource behind "/apps/{id}/" and the segment that names a channel or a user.
struct Target {
  ApiResource resource;
  std::string_view name;
};

std::optional<Target> find_target(const Segments& segments) noexcept {
  const std::string_view noun = segments.at[1];
  if (segments.count == 2) {
    if (noun == "events") return Target{ApiResource::events, {}};
    if (noun == "batch_events") return Target{ApiResource::batch_events, {}};
    if (noun == "channels") return Target{ApiResource::channels, {}};
    if (noun == "connections") return Target{ApiResource::connections, {}};
    return std::nullopt;
  }
  if (segments.at[2].empty()) return std::nullopt;
  if (segments.count == 3) {
    if (noun == "channels") return Target{ApiResource::channel, segments.at[2]};
    return std::nullopt;
  }
  if (segments.count != 4) return std::nullopt;
  if (noun == "channels" && segments.at[3] == "users") {
    return Target{ApiResource::channel_users, segments.at[2]};
  }
  if (noun == "users" && segments.at[3] == "terminate_connections") {
    return Target{ApiResource::terminate_user, segments.at[2]};
  }
  return std::nullopt;
}

// `path` starts with apps_prefix.
std::optional<ApiRoute> parse_app_route(std::string_view path, Arena& arena) {
  const Segments segments = split_segments(path.substr(apps_prefix.size()));
  if (segments.count < 2 || segments.at[0].empty()) return std::nullopt;
  const std::optional<Target> target = find_target(segments);
  if (!target) return std::nullopt;
  const auto app_id = decode_component(segments.at[0], false, arena);
  const auto name = decode_component(target->name, false, arena);
  if (!app_id || !name) return std::nullopt;
  return ApiRoute{target->resource, *app_id, *name, path};
}

}  // namespace

std::optional<ApiRoute> parse_api_route(std::string_view raw_path, Arena& arena) {
  if (raw_path == "/up") return ApiRoute{ApiResource::up, {}, {}, raw_path};
  std::size_t at = raw_path.find(apps_prefix);
  while (at != std::string_view::npos) {
    const std::optional<ApiRoute> route = parse_app_route(raw_path.substr(at), arena);
    if (route) return route;
    at = raw_path.find(apps_prefix, at + 1);
  }
  return std::nullopt;
}

bool takes_post(ApiResource resource) noexcept {
  return resource == ApiResource::events || resource == ApiResource::batch_events ||
         resource == ApiResource::terminate_user;
}

}  // namespace portero::hub
