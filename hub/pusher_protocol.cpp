#include "hub/pusher_protocol.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <boost/json/monotonic_resource.hpp>
#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>
#include <boost/json/serializer.hpp>
#include <boost/json/value.hpp>

namespace portero::hub {
namespace {

namespace json = boost::json;

constexpr std::size_t document_bytes = 16 * 1024;  // of a usual message; larger ones use the heap
constexpr std::size_t parser_bytes = 4 * 1024;

constexpr std::array<bool, 256> make_channel_characters() {
  std::array<bool, 256> allowed{};
  for (unsigned c = 'a'; c <= 'z'; ++c) allowed[c] = true;
  for (unsigned c = 'A'; c <= 'Z'; ++c) allowed[c] = true;
  for (unsigned c = '0'; c <= '9'; ++c) allowed[c] = true;
  for (char c : {'_', '-', '=', '@', ',', '.', ';'}) allowed[static_cast<unsigned char>(c)] = true;
  return allowed;
}
constexpr std::array<bool, 256> channel_characters = make_channel_characters();

InboundKind kind_of_event(std::string_view event) noexcept {
  if (event.starts_with("client-")) return InboundKind::client_event;
  if (!event.starts_with("pusher:")) return InboundKind::ignored;
  const std::string_view name = event.substr(7);
  if (name == "ping") return InboundKind::ping;
  if (name == "pong") return InboundKind::pong;
  if (name == "subscribe") return InboundKind::subscribe;
  if (name == "unsubscribe") return InboundKind::unsubscribe;
  if (name == "signin") return InboundKind::signin;
  return InboundKind::unknown;
}

std::string_view view(const json::string& text) noexcept { return {text.data(), text.size()}; }

// The text of a string member; nullptr when it is absent or of another type.
const json::string* find_string(const json::object& object, std::string_view key) noexcept {
  const json::value* const value = object.if_contains(json::string_view(key.data(), key.size()));
  return value != nullptr ? value->if_string() : nullptr;
}

// Whether the member is absent, null or a string.
bool is_optional_string(const json::object& object, std::string_view key) noexcept {
  const json::value* const value = object.if_contains(json::string_view(key.data(), key.size()));
  return value == nullptr || value->is_null() || value->is_string();
}

void serialize_to(std::string& out, const json::value& value) {
  json::serializer serializer;
  serializer.reset(&value);
  char piece[1024];
  while (!serializer.done()) {
    const json::string_view text = serializer.read(piece);
    out.append(text.data(), text.size());
  }
}

}  // namespace

ChannelKind channel_kind(std::string_view name) noexcept {
  if (name.starts_with("private-")) return ChannelKind::private_;
  if (name.starts_with("presence-")) return ChannelKind::presence;
  return ChannelKind::open;
}

bool is_channel_name(std::string_view name) noexcept {
  if (name.empty() || name.size() > channel_name_bytes_max) return false;
  return std::all_of(name.begin(), name.end(),
                     [](char c) { return channel_characters[static_cast<unsigned char>(c)]; });
}

struct InboundParser::Json {
  // A parsed text and the memory it lives in.
  struct Document {
    std::array<unsigned char, document_bytes> first;
    json::monotonic_resource memory{first.data(), first.size()};
    std::optional<json::value> value;
    std::optional<json::value> nested;  // of a `data` that came as a string
  };

  Json() : parser(json::storage_ptr(), options(), buffer.data(), buffer.size()) {}

  static json::parse_options options() {
    json::parse_options settings;
    settings.max_depth = json_depth_max;
    return settings;
  }

  void forget(Document& document) {
    document.nested.reset();
    document.value.reset();
    document.memory.release();
  }

  const json::value* parse(Document& document, std::string_view text,
                           std::optional<json::value>& into) {
    parser.reset(&document.memory);
    boost::system::error_code ec;
    parser.write(text.data(), text.size(), ec);
    if (ec) return nullptr;
    into.emplace(parser.release());
    return &*into;
  }

  std::array<unsigned char, parser_bytes> buffer;
  json::parser parser;
  Document message;
  Document member;
  const json::value* client_data = nullptr;
  std::string client_data_text;
};

InboundParser::InboundParser() : json_(std::make_unique<Json>()) {}
InboundParser::~InboundParser() = default;

Inbound InboundParser::parse(Bytes message) {
  Json& json = *json_;
  json.client_data = nullptr;
  json.forget(json.message);
  Inbound inbound;
  const json::value* const document = json.parse(json.message, message, json.message.value);
  if (document == nullptr || !document->is_object()) return inbound;
  const json::object& envelope = document->get_object();
  const json::string* const event = find_string(envelope, "event");
  if (event == nullptr || event->empty()) return inbound;
  inbound.event = view(*event);
  const InboundKind kind = kind_of_event(inbound.event);

  const json::value* data = envelope.if_contains("data");
  if (kind == InboundKind::client_event || kind == InboundKind::ignored) {
    const json::string* const channel = find_string(envelope, "channel");
    if (channel == nullptr) return inbound;
    inbound.channel = view(*channel);
    json.client_data = data;
  } else if (kind == InboundKind::subscribe || kind == InboundKind::unsubscribe) {
    if (data != nullptr && data->is_string()) {
      data = json.parse(json.message, view(data->get_string()), json.message.nested);
    }
    const json::object* const parts = data != nullptr ? data->if_object() : nullptr;
    const json::string* const channel = parts != nullptr ? find_string(*parts, "channel") : nullptr;
    if (channel == nullptr) return inbound;
    if (!is_optional_string(*parts, "auth") || !is_optional_string(*parts, "channel_data")) {
      return inbound;
    }
    inbound.channel = view(*channel);
    if (const json::string* auth = find_string(*parts, "auth")) inbound.auth = view(*auth);
    if (const json::string* channel_data = find_string(*parts, "channel_data")) {
      inbound.channel_data = view(*channel_data);
      inbound.has_channel_data = true;
    }
  }
  inbound.kind = kind;
  return inbound;
}

std::string_view InboundParser::client_event_data() {
  const json::value* const data = json_->client_data;
  if (data == nullptr) return "null";
  if (data->is_string()) return view(data->get_string());
  json_->client_data_text.clear();
  serialize_to(json_->client_data_text, *data);
  return json_->client_data_text;
}

MemberCheck InboundParser::parse_member(std::string_view channel_data, MemberData& member) {
  Json& json = *json_;
  json.forget(json.member);
  const json::value* const document = json.parse(json.member, channel_data, json.member.value);
  if (document == nullptr || !document->is_object()) return MemberCheck::malformed;
  const json::object& parts = document->get_object();
  const json::value* const id = parts.if_contains("user_id");
  if (id == nullptr || !(id->is_string() || id->is_number())) return MemberCheck::no_user_id;
  member.id.clear();
  serialize_to(member.id, *id);
  member.key = id->is_string() ? std::string(view(id->get_string())) : member.id;
  if (member.key.empty() || member.key.size() > user_id_bytes_max) return MemberCheck::no_user_id;
  member.info.clear();
  if (const json::value* info = parts.if_contains("user_info")) serialize_to(member.info, *info);
  return MemberCheck::ok;
}

}  // namespace portero::hub
