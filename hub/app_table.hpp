// AppTable: the apps of one shard, with the channels each has there. An app's entry is never
// removed, only switched off when it vanishes from the configuration: sockets and messages under
// way still refer to it. An entry may also exist before its app is known here, when another worker
// has adopted new settings first.
// Thread: the shard.
#pragma once

#include <memory>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "hub/app.hpp"
#include "hub/channel.hpp"
#include "hub/hub.hpp"

namespace portero::hub {

struct AppState {
  App app;
  AppNumber number = 0;
  bool active = false;  // in the current configuration
  AppTotals* totals = nullptr;
  ChannelMap channels;

  Channel* find_channel(std::string_view name);
  Channel& channel(std::string_view name);  // made when there is none
  void drop_if_unused(Channel& channel);
};

class AppTable {
 public:
  explicit AppTable(Hub& hub) noexcept : hub_(hub) {}

  AppState* find_by_key(std::string_view key) const;
  AppState* find_by_id(std::string_view id) const;
  AppState& by_number(AppNumber number);
  // Takes over new settings. Apps that are gone become inactive; true if there were any.
  bool adopt(const conf::Hub& settings);

 private:
  using Index = std::unordered_map<std::string, AppState*, KeyedHash, std::equal_to<>>;

  Hub& hub_;
  std::vector<std::unique_ptr<AppState>> apps_;  // by number; entries may be empty
  Index by_key_;
  Index by_id_;
};

}  // namespace portero::hub
