// The fields of a message, in order, as views. Known names get an id when they are added, so the
// hot path compares bytes, not strings.
// Names and values point into the Exchange's arena (or into constants); the list owns only its
// array, which lives in the same arena.
// Thread: owner's. Limits: fields_max per message, enforced by the codecs.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/arena.hpp"

namespace portero::http {

enum class FieldId : std::uint8_t {
  other,
  accept_encoding,
  authorization,
  cache_control,
  connection,
  content_encoding,
  content_length,
  content_type,
  cookie,
  date,
  expect,
  forwarded,
  host,
  http2_settings,
  keep_alive,
  location,
  origin,
  proxy_authenticate,
  proxy_authorization,
  proxy_connection,
  proxy_name,  // "Proxy": never passed on (httpoxy)
  sec_websocket_accept,
  sec_websocket_extensions,
  sec_websocket_key,
  sec_websocket_protocol,
  sec_websocket_version,
  server,
  set_cookie,
  te,
  trailer,
  transfer_encoding,
  upgrade,
  user_agent,
  via,
  x_forwarded_for,
  x_forwarded_host,
  x_forwarded_proto,
  x_real_ip,
};

// Finds the id of a field name, without regard to case. Pure.
FieldId identify_field(std::string_view name) noexcept;

struct Field {
  std::string_view name;
  std::string_view value;
  FieldId id = FieldId::other;
  bool clean = false;  // parsed from a line of a head: it cannot break one
};

constexpr std::size_t fields_max = 100;
constexpr std::size_t header_bytes_max = 16 * 1024;

class HeaderList {
 public:
  explicit HeaderList(Arena& arena) noexcept : arena_(&arena) {}

  std::span<const Field> all() const noexcept { return {fields_, size_}; }
  const Field* begin() const noexcept { return fields_; }
  const Field* end() const noexcept { return fields_ + size_; }
  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }

  // Appends; name and value must outlive the list (copy them into the arena first if need be).
  void add(std::string_view name, std::string_view value) {
    add(name, value, identify_field(name));
  }
  void add(std::string_view name, std::string_view value, FieldId id) {
    if (size_ == capacity_) grow();
    // Member by member: building a Field first and copying it costs 10 ns (a failed store forward).
    Field& field = fields_[size_++];
    field.name = name;
    field.value = value;
    field.id = id;
    field.clean = false;
  }
  // Appends a copy that stays clean.
  void add(const Field& other) {
    add(other.name, other.value, other.id);
    fields_[size_ - 1].clean = other.clean;
  }
  // Replaces every field of that name by one.
  void set(std::string_view name, std::string_view value);
  // Removes every field of that name; returns how many there were.
  std::size_t remove(std::string_view name) noexcept;
  std::size_t remove(FieldId id) noexcept;
  template <class Predicate>
  void remove_if(Predicate&& drop) {
    std::size_t kept = 0;
    for (std::size_t i = 0; i < size_; ++i) {
      if (!drop(fields_[i])) fields_[kept++] = fields_[i];
    }
    size_ = kept;
  }

  // The first field of that name, or nullptr.
  const Field* find(std::string_view name) const noexcept;
  const Field* find(FieldId id) const noexcept;
  std::optional<std::string_view> value(FieldId id) const noexcept;
  // Whether the comma-separated values of all fields of that name hold `token` (any case).
  bool has_token(FieldId id, std::string_view token) const noexcept;
  // Gives a field another value, which must outlive the list.
  void set_value(std::size_t index, std::string_view value) noexcept {
    fields_[index].value = value;
    fields_[index].clean = false;
  }
  void clear() noexcept { size_ = 0; }

 private:
  void grow();

  Arena* arena_;
  Field* fields_ = nullptr;
  std::size_t size_ = 0;
  std::size_t capacity_ = 0;
};

}  // namespace portero::http
