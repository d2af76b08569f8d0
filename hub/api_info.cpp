#include "hub/api_info.hpp"

#include <iterator>

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "hub/pusher_protocol.hpp"

namespace portero::hub {

InfoFields parse_info(std::string_view list) noexcept {
  InfoFields fields;
  for_each_list_element(list, [&fields](std::string_view name) {
    if (name == "subscription_count") fields.subscription_count = true;
    if (name == "user_count") fields.user_count = true;
    return true;
  });
  return fields;
}

void append_info_members(std::string& json, const ChannelInfo& channel, InfoFields fields) {
  if (!channel.occupied) return;
  const bool presence = channel_kind(channel.name) == ChannelKind::presence;
  if (presence && fields.user_count) {
    fmt::format_to(std::back_inserter(json), "\"user_count\":{}", channel.user_count);
  }
  if (!presence && fields.subscription_count) {
    fmt::format_to(std::back_inserter(json), "\"subscription_count\":{}",
                   channel.subscription_count);
  }
}

void append_json_string(std::string& json, std::string_view text) {
  json += '"';
  append_json_escaped(json, text);
  json += '"';
}

}  // namespace portero::hub
