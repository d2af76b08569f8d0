#include "hub/api_events.hpp"

#include <algorithm>
#include <array>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/value.hpp>
#include <fmt/format.h>

#include "hub/pusher_protocol.hpp"

namespace portero::hub {
namespace json = boost::json;
namespace {

// Text and where it stands, for messages: "name", "batch.3.name".
struct EventReader {
  const json::object& object;
  std::string prefix;
  FieldFaults& faults;

  void fault(std::string_view field, std::string_view text) const {
    faults.add(prefix + std::string(field), text);
  }
  // Errors: a fault, and "", when it is there but no string.
  std::string_view optional_text(std::string_view field) const {
    const json::value* const value = object.if_contains(field);
    if (value == nullptr || value->is_null()) return {};
    if (value->is_string()) return value->get_string();
    fault(field, "must be a string");
    return {};
  }
};

bool is_publishable(std::string_view channel) noexcept {
  constexpr std::string_view user_channel = "#server-to-user-";
  if (!channel.starts_with(user_channel)) return is_channel_name(channel);
  return channel.size() > user_channel.size() && channel.size() <= channel_name_bytes_max;
}

constexpr std::string_view channel_rule =
    "must be a channel name: 1 to 200 letters, digits or _-=@,.;";

void read_name(const EventReader& reader, Publish& publish) {
  const json::value* const value = reader.object.if_contains("name");
  if (value == nullptr || !value->is_string() || value->get_string().empty()) {
    return reader.fault("name", "is required and must be a string");
  }
  if (value->get_string().size() > event_name_bytes_max) {
    return reader.fault("name", "must be at most 200 bytes long");
  }
  publish.event = std::string_view(value->get_string());
}

void read_data(const EventReader& reader, Publish& publish) {
  const json::value* const value = reader.object.if_contains("data");
  if (value == nullptr || !value->is_string()) {
    return reader.fault("data",
                        "is required and must be a string: encode the payload as JSON "
                        "text first");
  }
  publish.data = std::string_view(value->get_string());
}

void add_channel(const EventReader& reader, std::string_view field, const json::value& value,
                 Publish& publish) {
  if (!value.is_string() || !is_publishable(value.get_string())) {
    return reader.fault(field, channel_rule);
  }
  const std::string_view name = value.get_string();
  std::vector<std::string>& channels = publish.channels;
  if (std::find(channels.begin(), channels.end(), name) == channels.end()) {
    channels.emplace_back(name);
  }
}

// `channels` wins over `channel`.
void read_channels(const EventReader& reader, Publish& publish) {
  const json::value* const list = reader.object.if_contains("channels");
  if (list == nullptr) {
    const json::value* const channel = reader.object.if_contains("channel");
    if (channel != nullptr) return add_channel(reader, "channel", *channel, publish);
    return reader.fault("channels", "or channel is required");
  }
  if (!list->is_array() || list->get_array().empty()) {
    return reader.fault("channels", "must be a list of channel names");
  }
  if (list->get_array().size() > event_channels_max) {
    return reader.fault("channels", "must be at most 100; send the event in several requests");
  }
  for (const json::value& channel : list->get_array()) {
    add_channel(reader, "channels", channel, publish);
    if (!reader.faults.empty()) return;
  }
}

ApiEvent read_event(const EventReader& reader, std::string_view app_id) {
  ApiEvent event;
  event.publish.app_id = app_id;
  read_name(reader, event.publish);
  read_data(reader, event.publish);
  read_channels(reader, event.publish);
  event.publish.except_socket_id = reader.optional_text("socket_id");
  event.info = parse_info(reader.optional_text("info"));
  return event;
}

// Parses the body; a body that is not a JSON object is a fault.
std::optional<ApiAnswer> parse_object(std::string_view body, json::parser& parser,
                                      json::value& root) {
  boost::system::error_code error;
  const std::size_t read = parser.write(body, error);
  if (error) {
    return api_error(400, fmt::format("the body is not valid JSON: {} at byte {}", error.message(),
                                      std::min(read, body.size())));
  }
  root = parser.release();
  if (!root.is_object()) return api_error(400, "the body must be a JSON object");
  return std::nullopt;
}

// The memory of one parse: small bodies stay on the stack (measured in docs/hub.md).
struct ParseMemory {
  std::array<unsigned char, 4096> values_storage;
  std::array<unsigned char, 1024> stack_storage;
  json::monotonic_resource values{values_storage.data(), values_storage.size()};
  json::parser parser{json::storage_ptr(), options(), stack_storage.data(), stack_storage.size()};
  json::value root;

  ParseMemory() : root(json::storage_ptr(&values)) { parser.reset(&values); }

  static json::parse_options options() {
    json::parse_options result;
    result.max_depth = api_json_depth_max;
    return result;
  }
};

Task<std::string> count_channels(HubShard& shard, const ApiEvent& event) {
  std::string json = "{\"channels\":{";
  bool first = true;
  for (const std::string& name : event.publish.channels) {
    const ChannelInfo channel = co_await shard.channel(event.publish.app_id, name);
    if (!first) json += ',';
    first = false;
    append_json_string(json, name);
    json += ":{";
    append_info_members(json, channel, event.info);
    json += '}';
  }
  json += "}}";
  co_return json;
}

Task<std::string> count_batch(HubShard& shard, const std::vector<ApiEvent>& events) {
  std::string json = "{\"batch\":[";
  for (const ApiEvent& event : events) {
    if (&event != &events.front()) json += ',';
    json += '{';
    if (event.info.any()) {
      const std::string& name = event.publish.channels.front();
      const ChannelInfo channel = co_await shard.channel(event.publish.app_id, name);
      append_info_members(json, channel, event.info);
    }
    json += '}';
  }
  json += "]}";
  co_return json;
}

}  // namespace

ApiEvents parse_event(std::string_view body, std::string_view app_id) {
  ApiEvents result;
  ParseMemory memory;
  result.fault = parse_object(body, memory.parser, memory.root);
  if (result.fault) return result;

  FieldFaults faults;
  const EventReader reader{memory.root.get_object(), {}, faults};
  result.events.push_back(read_event(reader, app_id));
  if (!faults.empty()) result.fault = faults.answer();
  return result;
}

ApiEvents parse_batch(std::string_view body, std::string_view app_id) {
  ApiEvents result;
  ParseMemory memory;
  result.fault = parse_object(body, memory.parser, memory.root);
  if (result.fault) return result;

  FieldFaults faults;
  const json::value* const batch = memory.root.get_object().if_contains("batch");
  if (batch == nullptr || !batch->is_array() || batch->get_array().empty()) {
    faults.add("batch", "is required and must be a list of events");
  } else if (batch->get_array().size() > batch_events_max) {
    faults.add("batch", "must hold at most 1000 events");
  } else {
    const json::array& items = batch->get_array();
    result.events.reserve(items.size());
    for (std::size_t i = 0; i < items.size() && faults.empty(); ++i) {
      if (!items[i].is_object()) {
        faults.add(fmt::format("batch.{}", i), "must be an event");
        break;
      }
      const EventReader reader{items[i].get_object(), fmt::format("batch.{}.", i), faults};
      result.events.push_back(read_event(reader, app_id));
    }
  }
  if (!faults.empty()) result.fault = faults.answer();
  return result;
}

Task<ApiAnswer> post_event(HubShard& shard, std::string_view app_id, std::string_view body) {
  ApiEvents parsed = parse_event(body, app_id);
  if (parsed.fault) co_return std::move(*parsed.fault);
  const ApiEvent& event = parsed.events.front();
  shard.publish(event.publish);

  ApiAnswer answer;
  if (event.info.any()) answer.body = co_await count_channels(shard, event);
  co_return answer;
}

Task<ApiAnswer> post_batch(HubShard& shard, std::string_view app_id, std::string_view body) {
  ApiEvents parsed = parse_batch(body, app_id);
  if (parsed.fault) co_return std::move(*parsed.fault);
  bool wants_info = false;
  for (const ApiEvent& event : parsed.events) {
    shard.publish(event.publish);
    wants_info = wants_info || event.info.any();
  }

  ApiAnswer answer;
  answer.body = "{\"batch\":{}}";
  if (wants_info) answer.body = co_await count_batch(shard, parsed.events);
  co_return answer;
}

}  // namespace portero::hub
