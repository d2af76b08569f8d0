// The attributes of a channel that a caller asks for by `info=subscription_count,user_count`.
// Pure. Thread: any.
#pragma once

#include <string>
#include <string_view>

#include "hub/shard.hpp"

namespace portero::hub {

struct InfoFields {
  bool subscription_count = false;  // told of channels without presence
  bool user_count = false;          // told of presence channels
  bool any() const noexcept { return subscription_count || user_count; }
};

// Names it does not know are skipped.
InfoFields parse_info(std::string_view list) noexcept;

// Appends the attributes that were asked for and fit the kind of an occupied channel:
// `"user_count":1`; nothing for an unoccupied one.
void append_info_members(std::string& json, const ChannelInfo& channel, InfoFields fields);

// Appends `"` text escaped `"`.
void append_json_string(std::string& json, std::string_view text);

}  // namespace portero::hub
