#include "proxy/cgi_head.hpp"

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "http/chars.hpp"

namespace portero::proxy {
namespace {

using http::FieldId;

constexpr int status_min = 200;
constexpr int status_max = 599;
constexpr int status_found = 302;

// "404", "404 Not Found".
int parse_status(std::string_view text) noexcept {
  if (text.size() < 3 || (text.size() > 3 && text[3] != ' ')) return 0;
  const std::optional<std::uint64_t> status = parse_decimal(text.substr(0, 3));
  if (!status) return 0;
  const int number = static_cast<int>(*status);
  return number >= status_min && number <= status_max ? number : 0;
}

// What this server decides itself, or what belongs to a connection that there is not.
bool is_ours(FieldId id) noexcept {
  return id == FieldId::connection || id == FieldId::keep_alive || id == FieldId::server ||
         id == FieldId::transfer_encoding || id == FieldId::upgrade ||
         id == FieldId::proxy_connection || id == FieldId::te || id == FieldId::trailer;
}

}  // namespace

Result<std::optional<std::size_t>> CgiHeadParser::take(Bytes piece, http::Response& response,
                                                       Arena& arena) {
  PORTERO_ASSERT(!complete_);
  std::size_t at = 0;
  while (at < piece.size()) {
    const std::size_t newline = piece.find('\n', at);
    const Bytes line = piece.substr(at, newline - at);
    if (line.find_first_not_of('\r') != Bytes::npos) line_is_empty_ = false;
    at = newline == Bytes::npos ? piece.size() : newline + 1;
    if (bytes_ + at > cgi_head_bytes_max) return fail("its header fields are larger than 64 KiB");
    if (newline == Bytes::npos) break;
    complete_ = line_is_empty_;
    line_is_empty_ = true;
    if (!complete_) continue;
    std::string_view head = piece.substr(0, at);
    if (!text_.empty()) {
      text_.append(head);
      head = text_.readable();
    }
    const Result<> parsed = parse(arena.copy(head), response);
    text_ = Buffer();
    if (!parsed) return parsed.error();
    return std::optional(at);
  }
  bytes_ += piece.size();
  text_.append(piece);
  return std::optional<std::size_t>();
}

Result<> CgiHeadParser::parse(std::string_view head, http::Response& response) {
  while (!head.empty()) {
    const std::size_t end = head.find('\n');
    std::string_view line = head.substr(0, end);
    head.remove_prefix(end == std::string_view::npos ? head.size() : end + 1);
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (line.empty()) continue;
    const Result<> taken = take_line(line, response);
    if (!taken) return taken;
  }
  // Source: RFC 3875 §6.2.3: a location without a status is a redirect.
  if (!has_status_ && response.headers.find(FieldId::location) != nullptr) {
    response.status = status_found;
  }
  return {};
}

Result<> CgiHeadParser::take_line(std::string_view line, http::Response& response) {
  const std::size_t colon = line.find(':');
  const bool has_name = colon != std::string_view::npos && http::is_token(line.substr(0, colon));
  if (!has_name) return fail("a line of its header is not \"Name: value\"");
  http::Field field;
  field.name = line.substr(0, colon);
  field.value = trim_ows(line.substr(colon + 1));
  field.id = http::identify_field(field.name);
  if (!http::is_field_value(field.value)) return fail("a header field holds a control byte");
  if (response.headers.size() == http::fields_max) return fail("it has over 100 header fields");
  return take_field(field, response);
}

Result<> CgiHeadParser::take_field(const http::Field& field, http::Response& response) {
  if (is_ours(field.id)) return {};
  if (field.id == FieldId::content_length) {
    const std::optional<std::uint64_t> length = parse_decimal(field.value);
    const bool differs = content_length_ && length != content_length_;
    if (!length || differs) return fail("its Content-Length is not one number");
    content_length_ = length;
    return {};
  }
  if (field.id != FieldId::other) {
    response.headers.add(field.name, field.value, field.id);
    return {};
  }
  if (iequals(field.name, "Status")) {
    const int status = parse_status(field.value);
    if (status == 0) return fail("its Status is not a number from 200 to 599");
    response.status = status;
    has_status_ = true;
  } else if (iequals(field.name, "X-Accel-Buffering")) {
    no_buffering_ = no_buffering_ || iequals(field.value, "no");
  } else if (iequals(field.name, "X-Accel-Redirect") || iequals(field.name, "X-Sendfile")) {
    file_ = field.value;
  } else {
    response.headers.add(field.name, field.value, field.id);
  }
  return {};
}

}  // namespace portero::proxy
