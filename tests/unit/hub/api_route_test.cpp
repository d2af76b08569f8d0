#include "hub/api_route.hpp"

#include <string>

#include <doctest/doctest.h>

using portero::Arena;
using namespace portero::hub;

namespace {

bool finds(std::string_view path, ApiResource resource, std::string_view app,
           std::string_view name = {}) {
  Arena arena;
  const std::optional<ApiRoute> route = parse_api_route(path, arena);
  return route && route->resource == resource && route->app_id == app && route->name == name;
}

bool finds_nothing(std::string_view path) {
  Arena arena;
  return !parse_api_route(path, arena);
}

}  // namespace

TEST_CASE("api_route: finds every resource") {
  CHECK(finds("/up", ApiResource::up, ""));
  CHECK(finds("/apps/3/events", ApiResource::events, "3"));
  CHECK(finds("/apps/3/batch_events", ApiResource::batch_events, "3"));
  CHECK(finds("/apps/3/channels", ApiResource::channels, "3"));
  CHECK(finds("/apps/3/channels/presence-x", ApiResource::channel, "3", "presence-x"));
  CHECK(finds("/apps/3/channels/presence-x/users", ApiResource::channel_users, "3", "presence-x"));
  CHECK(finds("/apps/3/connections", ApiResource::connections, "3"));
  CHECK(finds("/apps/3/users/7/terminate_connections", ApiResource::terminate_user, "3", "7"));
}

TEST_CASE("api_route: decodes segments, and an escaped slash stays inside one") {
  CHECK(finds("/apps/a%2Fb/events", ApiResource::events, "a/b"));
  CHECK(
      finds("/apps/3/users/a%2Fb/terminate_connections", ApiResource::terminate_user, "3", "a/b"));
  CHECK(finds("/apps/3/channels/%23server-to-user-1", ApiResource::channel, "3",
              "#server-to-user-1"));
  CHECK(finds("/apps/3/users/a+b/terminate_connections", ApiResource::terminate_user, "3", "a+b"));
}

TEST_CASE("api_route: skips a prefix and gives the path without it") {
  Arena arena;
  const std::optional<ApiRoute> route = parse_api_route("/ws/apps/3/events", arena);
  REQUIRE(route);
  CHECK(route->app_id == "3");
  CHECK(route->path == "/apps/3/events");
  CHECK(finds("/apps/apps/3/events", ApiResource::events, "3"));
  CHECK(finds("/apps/events/apps/3/events", ApiResource::events, "3"));
}

TEST_CASE("api_route: finds nothing in other paths") {
  for (const char* path : {"/",
                           "",
                           "/apps",
                           "/apps/",
                           "/apps/3",
                           "/apps/3/",
                           "/apps//events",
                           "/apps/3/events/",
                           "/apps/3/event",
                           "/apps/3/channels/",
                           "/apps/3/channels//users",
                           "/apps/3/channels/c/x",
                           "/apps/3/users",
                           "/apps/3/users/7",
                           "/apps/3/users//terminate_connections",
                           "/apps/3/users/7/terminate_connections/x",
                           "/apps/3/connections/1",
                           "/up/",
                           "/UP",
                           "/apps/%zz/events",
                           "/apps/3/channels/%",
                           "/myapps/3/events",
                           "/app/3/events"}) {
    CAPTURE(path);
    CHECK(finds_nothing(path));
  }
}

TEST_CASE("api_route: what changes something takes POST") {
  CHECK(takes_post(ApiResource::events));
  CHECK(takes_post(ApiResource::batch_events));
  CHECK(takes_post(ApiResource::terminate_user));
  CHECK_FALSE(takes_post(ApiResource::channels));
  CHECK_FALSE(takes_post(ApiResource::up));
}
