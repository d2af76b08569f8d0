// The hub and its applications. Part of conf::Config.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "conf/config_values.hpp"

namespace portero::conf {

enum class ClientEvents : std::uint8_t { none, members, all };

struct RateLimit {
  unsigned count = 0;  // 0 = off
  Duration per{60'000};
};

struct HubApp {
  Where where;
  std::string id;
  std::string key;
  std::string secret;
  std::vector<std::string> allowed_origins{"*"};  // host patterns
  unsigned max_connections = 0;                   // 0 = no limit
  std::size_t max_message_size = 10'000;
  ClientEvents client_events = ClientEvents::members;
  Duration ping_interval{60'000};
  Duration activity_timeout{30'000};
  RateLimit messages;                // per connection
  bool close_over_messages = false;  // past `messages`: Close instead of one error per message
  unsigned connections_per_ip = 0;   // 0 = no limit
  unsigned presence_members = 100;
  std::size_t presence_member_size = 2'000;
};

struct Hub {
  std::string listen;  // "127.0.0.1:8080"; "" = not given
  std::vector<HubApp> apps;
};

}  // namespace portero::conf
