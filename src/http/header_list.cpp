#include "http/header_list.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/bytes.hpp"

namespace portero::http {
namespace {

struct KnownField {
  std::string_view name;  // lower case
  FieldId id;
};

constexpr std::array known_fields = {
    KnownField{"te", FieldId::te},
    KnownField{"via", FieldId::via},
    KnownField{"date", FieldId::date},
    KnownField{"host", FieldId::host},
    KnownField{"proxy", FieldId::proxy_name},
    KnownField{"cookie", FieldId::cookie},
    KnownField{"expect", FieldId::expect},
    KnownField{"origin", FieldId::origin},
    KnownField{"server", FieldId::server},
    KnownField{"trailer", FieldId::trailer},
    KnownField{"upgrade", FieldId::upgrade},
    KnownField{"location", FieldId::location},
    KnownField{"forwarded", FieldId::forwarded},
    KnownField{"x-real-ip", FieldId::x_real_ip},
    KnownField{"connection", FieldId::connection},
    KnownField{"keep-alive", FieldId::keep_alive},
    KnownField{"set-cookie", FieldId::set_cookie},
    KnownField{"user-agent", FieldId::user_agent},
    KnownField{"content-type", FieldId::content_type},
    KnownField{"authorization", FieldId::authorization},
    KnownField{"cache-control", FieldId::cache_control},
    KnownField{"content-length", FieldId::content_length},
    KnownField{"http2-settings", FieldId::http2_settings},
    KnownField{"accept-encoding", FieldId::accept_encoding},
    KnownField{"x-forwarded-for", FieldId::x_forwarded_for},
    KnownField{"content-encoding", FieldId::content_encoding},
    KnownField{"proxy-connection", FieldId::proxy_connection},
    KnownField{"x-forwarded-host", FieldId::x_forwarded_host},
    KnownField{"sec-websocket-key", FieldId::sec_websocket_key},
    KnownField{"transfer-encoding", FieldId::transfer_encoding},
    KnownField{"x-forwarded-proto", FieldId::x_forwarded_proto},
    KnownField{"proxy-authenticate", FieldId::proxy_authenticate},
    KnownField{"proxy-authorization", FieldId::proxy_authorization},
    KnownField{"sec-websocket-accept", FieldId::sec_websocket_accept},
    KnownField{"sec-websocket-version", FieldId::sec_websocket_version},
    KnownField{"sec-websocket-protocol", FieldId::sec_websocket_protocol},
    KnownField{"sec-websocket-extensions", FieldId::sec_websocket_extensions},
};
static_assert(std::is_sorted(known_fields.begin(), known_fields.end(),
                             [](const KnownField& a, const KnownField& b) {
                               return a.name.size() < b.name.size();
                             }),
              "identify_field looks only at the names of one length");

constexpr std::size_t name_bytes_max = known_fields.back().name.size();

constexpr std::size_t word_bytes = 8;

// Compares eight bytes at a time. With the case bit set, of all bytes that could become one of a
// known name only control bytes are no letters of it.
bool is_word(const char* known, const char* name) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101;
  std::uint64_t wanted = 0;
  std::uint64_t found = 0;
  std::memcpy(&wanted, known, word_bytes);
  std::memcpy(&found, name, word_bytes);
  const std::uint64_t printable = found & ones * 0x60;  // 0 in a byte below 0x20
  const bool has_control = ((printable - ones) & ~printable & ones * 0x80) != 0;
  return (found | ones * 0x20) == wanted && !has_control;
}

// Compares the last byte first: names of one length rarely share it.
bool is_name(std::string_view known, std::string_view name) noexcept {
  if (ascii_lower(name.back()) != known.back()) return false;
  if (name.size() < word_bytes) return iequals(name, known);
  for (std::size_t i = 0; i + word_bytes < name.size(); i += word_bytes) {
    if (!is_word(known.data() + i, name.data() + i)) return false;
  }
  const std::size_t last = name.size() - word_bytes;
  return is_word(known.data() + last, name.data() + last);
}

// starts[n]: the first known field whose name has n or more bytes.
constexpr auto starts = [] {
  std::array<std::uint8_t, name_bytes_max + 2> table{};
  for (std::size_t n = 0; n < table.size(); ++n) {
    std::uint8_t first = 0;
    while (first < known_fields.size() && known_fields[first].name.size() < n) ++first;
    table[n] = first;
  }
  return table;
}();

}  // namespace

FieldId identify_field(std::string_view name) noexcept {
  if (name.size() > name_bytes_max) return FieldId::other;
  for (std::size_t i = starts[name.size()]; i < starts[name.size() + 1]; ++i) {
    if (is_name(known_fields[i].name, name)) return known_fields[i].id;
  }
  return FieldId::other;
}

void HeaderList::grow() {
  const std::size_t capacity = capacity_ == 0 ? 24 : capacity_ * 2;
  Field* grown = arena_->allocate_array<Field>(capacity);
  std::copy(fields_, fields_ + size_, grown);
  fields_ = grown;
  capacity_ = capacity;
}

void HeaderList::set(std::string_view name, std::string_view value) {
  remove(name);
  add(name, value);
}

std::size_t HeaderList::remove(std::string_view name) noexcept {
  const std::size_t before = size_;
  remove_if([name](const Field& field) { return iequals(field.name, name); });
  return before - size_;
}

std::size_t HeaderList::remove(FieldId id) noexcept {
  const std::size_t before = size_;
  remove_if([id](const Field& field) { return field.id == id; });
  return before - size_;
}

const Field* HeaderList::find(std::string_view name) const noexcept {
  const Field* at = std::find_if(begin(), end(),
                                 [name](const Field& field) { return iequals(field.name, name); });
  return at == end() ? nullptr : at;
}

const Field* HeaderList::find(FieldId id) const noexcept {
  const Field* at = std::find_if(begin(), end(), [id](const Field& f) { return f.id == id; });
  return at == end() ? nullptr : at;
}

std::optional<std::string_view> HeaderList::value(FieldId id) const noexcept {
  const Field* field = find(id);
  if (field == nullptr) return std::nullopt;
  return field->value;
}

bool HeaderList::has_token(FieldId id, std::string_view token) const noexcept {
  return std::any_of(begin(), end(), [&](const Field& field) {
    return field.id == id && list_has_token(field.value, token);
  });
}

}  // namespace portero::http
