#include "http/h2_response.hpp"

#include <charconv>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "http/chars.hpp"
#include "http/h1_body.hpp"

namespace portero::http {
namespace {

constexpr std::size_t own_fields_max = 4;  // :status, content-length, date, server
constexpr std::size_t number_bytes_max = 20;

// Source: RFC 9113 §8.2.2; Content-Length is written from what is known about the body.
bool is_left_out(FieldId id) noexcept {
  switch (id) {
    case FieldId::connection:
    case FieldId::content_length:
    case FieldId::http2_settings:
    case FieldId::keep_alive:
    case FieldId::proxy_connection:
    case FieldId::te:
    case FieldId::transfer_encoding:
    case FieldId::upgrade: return true;
    default: return false;
  }
}

class FieldWriter {
 public:
  FieldWriter(std::size_t fields_max_count, Arena& arena)
      : arena_(arena), fields_(arena.allocate_array<nghttp2_nv>(fields_max_count)) {}

  // Adds a field whose name is lower case and whose value is known to be good.
  void put(std::string_view name, std::string_view value) noexcept {
    // nghttp2 takes its views as mutable and does not write to them.
    auto* const name_bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data()));
    auto* const value_bytes = reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data()));
    fields_[size_++] = {name_bytes, value_bytes, name.size(), value.size(),
                        NGHTTP2_NV_FLAG_NO_COPY_NAME | NGHTTP2_NV_FLAG_NO_COPY_VALUE};
  }
  void put_number(std::string_view name, std::uint64_t number) {
    char* const text = arena_.allocate_array<char>(number_bytes_max);
    const char* const end = std::to_chars(text, text + number_bytes_max, number).ptr;
    put(name, {text, static_cast<std::size_t>(end - text)});
  }
  // Adds a field of a handler or an upstream, unless it could not be told from others.
  void put_checked(const Field& field) {
    const std::string_view value = trim_ows(field.value);
    if (!field.clean && (!is_token(field.name) || !is_field_value(value))) return;
    put(lower_case(field.name), value);
  }

  H2Fields fields() const noexcept { return {fields_, size_}; }

 private:
  std::string_view lower_case(std::string_view name) {
    for (const char c : name) {
      if (c >= 'A' && c <= 'Z') return lower_copy(name);
    }
    return name;
  }
  std::string_view lower_copy(std::string_view name) {
    char* const copy = arena_.allocate_array<char>(name.size());
    for (std::size_t i = 0; i < name.size(); ++i) copy[i] = ascii_lower(name[i]);
    return {copy, name.size()};
  }

  Arena& arena_;
  nghttp2_nv* fields_;
  std::size_t size_ = 0;
};

void put_status(FieldWriter& writer, int status) {
  PORTERO_ASSERT(status >= 100 && status <= 999);
  if (status == 200) {
    writer.put(":status", "200");
  } else {
    writer.put_number(":status", static_cast<std::uint64_t>(status));
  }
}

}  // namespace

H2Fields make_response_fields(const Response& response, const H2ResponseOptions& options,
                              Arena& arena) {
  FieldWriter writer(response.headers.size() + own_fields_max, arena);
  put_status(writer, response.status);
  bool has_date = options.date.empty();
  bool has_server = options.server.empty();
  for (const Field& field : response.headers) {
    if (is_left_out(field.id)) continue;
    has_date |= field.id == FieldId::date;
    has_server |= field.id == FieldId::server;
    writer.put_checked(field);
  }
  if (!has_date) writer.put("date", arena.copy(options.date));
  if (!has_server) writer.put("server", options.server);
  if (options.content_length) writer.put_number("content-length", *options.content_length);
  return writer.fields();
}

H2Fields make_interim_fields(const Response& response, Arena& arena) {
  PORTERO_ASSERT(response.status < 200 && response.status != 101);
  FieldWriter writer(response.headers.size() + 1, arena);
  put_status(writer, response.status);
  for (const Field& field : response.headers) {
    if (!is_left_out(field.id)) writer.put_checked(field);
  }
  return writer.fields();
}

H2Fields make_trailer_fields(const HeaderList& trailers, Arena& arena) {
  if (trailers.empty()) return {};
  FieldWriter writer(trailers.size(), arena);
  for (const Field& field : trailers) {
    if (is_trailer_allowed(field.id)) writer.put_checked(field);
  }
  return writer.fields();
}

}  // namespace portero::http
