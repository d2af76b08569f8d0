// App: one Pusher application as the hub uses it: its credentials and its limits.
// Thread: each shard has its own copy, rewritten in place at a reload.
#pragma once

#include <cstddef>
#include <string>

#include "base/clock.hpp"
#include "conf/config.hpp"
#include "hub/origin.hpp"

namespace portero::hub {

struct App {
  std::string id;
  std::string key;     // public: part of /app/{key}
  std::string secret;  // never logged
  OriginRule origins;
  std::size_t connections_max = 0;  // over all workers; 0 = no limit
  std::size_t connections_per_ip_max = 0;
  std::size_t message_bytes_max = 10'000;
  conf::ClientEvents client_events = conf::ClientEvents::members;
  Milliseconds ping_interval{60'000};
  Milliseconds activity_timeout{30'000};  // advice to the client, sent with the greeting
  conf::RateLimit messages;               // per connection
  bool close_over_messages = false;       // past `messages`
  std::size_t presence_members_max = 100;
  std::size_t presence_member_bytes_max = 2'000;
};

App make_app(const conf::HubApp& settings);

}  // namespace portero::hub
