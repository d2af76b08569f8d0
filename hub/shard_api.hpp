// What callers of a HubShard hand in and get back: plain values.
// Thread: any; Stats: add() its shard, value() any.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "base/metrics.hpp"

namespace portero::hub {

// One event for some channels of an app.
struct Publish {
  std::string app_id;
  std::vector<std::string> channels;
  std::string event;
  std::string data;              // verbatim; sent as a JSON string
  std::string except_socket_id;  // "" = none; an unknown one excludes nobody
};

struct ChannelInfo {
  std::string name;
  bool occupied = false;
  std::size_t subscription_count = 0;
  std::size_t user_count = 0;  // distinct users of a presence channel, else 0
};

// Counters of one shard.
struct Stats {
  Counter connections;        // open now
  Counter connections_total;  // ever greeted
  Counter refused;            // never greeted: unknown key, origin, limits
  Counter channels;           // occupied now, with their home here
  Counter subscriptions;      // of sockets here, now
  Counter messages_in;        // messages from clients
  Counter messages_out;       // frames queued for clients
  Counter publishes;          // events for channels with their home here
  Counter slow_consumers_closed;
  Counter liveness_closed;  // sockets that did not answer a ping
};

}  // namespace portero::hub
