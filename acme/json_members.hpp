// Members of JSON objects of which nothing is known: "" and 0 for what is absent or of another
// kind. Thread: any (pure).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <boost/json.hpp>

namespace portero::acme {

inline std::string text_member(const boost::json::object& object, std::string_view name) {
  const boost::json::value* const value = object.if_contains(name);
  if (value == nullptr || !value->is_string()) return {};
  return std::string(std::string_view(value->get_string()));
}

inline std::int64_t number_member(const boost::json::object& object, std::string_view name) {
  const boost::json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_int64() ? value->get_int64() : 0;
}

// An object member as JSON text.
inline std::string object_member(const boost::json::object& object, std::string_view name) {
  const boost::json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_object() ? boost::json::serialize(*value) : std::string();
}

inline bool flag_member(const boost::json::object& object, std::string_view name) {
  const boost::json::value* const value = object.if_contains(name);
  return value != nullptr && value->is_bool() && value->get_bool();
}

// nullptr when the member is absent or no array.
inline const boost::json::array* list_member(const boost::json::object& object,
                                             std::string_view name) {
  const boost::json::value* const value = object.if_contains(name);
  return value != nullptr ? value->if_array() : nullptr;
}

// nullptr when the member is absent or no object.
inline const boost::json::object* map_member(const boost::json::object& object,
                                             std::string_view name) {
  const boost::json::value* const value = object.if_contains(name);
  return value != nullptr ? value->if_object() : nullptr;
}

// Empty when the text is no object.
inline boost::json::object parse_object(std::string_view text) {
  boost::system::error_code ec;
  boost::json::value value = boost::json::parse(text, ec);
  return !ec && value.is_object() ? std::move(value.get_object()) : boost::json::object();
}

}  // namespace portero::acme
