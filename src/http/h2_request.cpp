#include "http/h2_request.hpp"

#include <cstring>

#include "base/bytes.hpp"
#include "http/h1_body.hpp"
#include "http/h1_request_parser.hpp"

namespace portero::http {
namespace {

constexpr std::size_t field_overhead_bytes = 32;
// Decoding must go on to the end of the block, so that the tables of both sides stay equal; a head
// that is so much larger than allowed is meant to cost that time.
constexpr std::size_t flood_factor = 8;

// Source: RFC 9113 §8.2.2.
bool is_connection_specific(FieldId id) noexcept {
  return id == FieldId::connection || id == FieldId::keep_alive ||
         id == FieldId::proxy_connection || id == FieldId::transfer_encoding ||
         id == FieldId::upgrade;
}

constexpr H2HeadCheck malformed(std::string_view detail) noexcept { return {true, 0, detail}; }
constexpr H2HeadCheck refused(int status, std::string_view detail) noexcept {
  return {false, status, detail};
}

}  // namespace

H2RequestReader::Admission H2RequestReader::admit(std::size_t name_bytes,
                                                  std::size_t value_bytes) noexcept {
  ++fields_;
  bytes_ += name_bytes + value_bytes + field_overhead_bytes;
  if (fields_ <= fields_max && bytes_ <= header_bytes_max) return Admission::keep;
  const bool flood =
      fields_ > flood_factor * fields_max || bytes_ > flood_factor * header_bytes_max;
  return flood ? Admission::flood : Admission::drop;
}

void H2RequestReader::add(std::string_view name, std::string_view value) {
  if (name.starts_with(':')) {
    add_pseudo(name, value);
    return;
  }
  const FieldId id = identify_field(name);
  if (is_connection_specific(id)) malformed_ = true;
  if (id == FieldId::te && !iequals(value, "trailers")) malformed_ = true;
  if (id == FieldId::cookie) ++cookie_crumbs_;
  request_.headers.add(name, value, id);
}

void H2RequestReader::add_pseudo(std::string_view name, std::string_view value) noexcept {
  if (name == ":method") {
    request_.method_text = value;
  } else if (name == ":path") {
    request_.target = value;
  } else if (name == ":authority") {
    request_.authority = value;
  } else if (name == ":scheme") {
    scheme_ = value;
  } else if (name == ":protocol") {
    request_.protocol = value;
  } else {
    malformed_ = true;
  }
}

void H2RequestReader::add_trailer(std::string_view name, std::string_view value) {
  const FieldId id = identify_field(name);
  if (is_trailer_allowed(id)) request_.trailers.add(name, value, id);
}

H2HeadCheck H2RequestReader::finish(const ConnectionInfo& connection, bool body_follows) {
  request_.version = Version::http_2;
  request_.scheme = connection.tls ? "https" : "http";
  request_.method = identify_method(request_.method_text);
  if (fields_ > fields_max || bytes_ > header_bytes_max) {
    return refused(431, "the header fields are too large or too many");
  }
  return check(connection, body_follows);
}

H2HeadCheck H2RequestReader::check(const ConnectionInfo& connection, bool body_follows) {
  if (malformed_) return malformed("a field that HTTP/2 does not allow");
  if (request_.method_text.size() > method_bytes_max) return refused(400, "the method is too long");
  const bool connect = request_.method == Method::connect;
  if (connect && request_.protocol.empty()) return refused(405, "this server is no proxy");
  if (!connect && !request_.protocol.empty()) return malformed(":protocol without CONNECT");
  if (connect && !iequals(request_.protocol, "websocket")) {
    return refused(501, "the only protocol known is websocket");
  }
  if (!iequals(scheme_, connection.tls ? "https" : "http")) {
    return malformed(":scheme is not the connection's");
  }
  if (request_.target == "*" && request_.method != Method::options) {
    return malformed("the target * is for OPTIONS only");
  }
  if (request_.target.size() > target_bytes_max) return refused(414, "the target is too long");
  if (!check_authority()) return malformed(":authority and host differ");
  if (!read_body_length(body_follows)) return malformed("the length of the body is not clear");
  join_cookies();
  switch (normalise_target(request_, arena_)) {
    case TargetCheck::ok: break;
    case TargetCheck::bad_target: return refused(400, "the request target is malformed");
    case TargetCheck::bad_host: return refused(400, "the host is malformed");
  }
  if (request_.host.empty()) return refused(400, "the host is missing");
  if (!read_expectation()) return refused(417, "the only expectation known is 100-continue");
  return {};
}

// Either names the host; both must agree. Handlers find it in `authority` and in the Host field.
// Source: RFC 9113 §8.3.1.
bool H2RequestReader::check_authority() {
  const Field* host = request_.headers.find(FieldId::host);
  if (host == nullptr) {
    request_.headers.add("host", request_.authority, FieldId::host);
    return true;
  }
  if (request_.authority.empty()) request_.authority = host->value;
  return iequals(request_.authority, host->value);
}

// nghttp2 compares the length with the DATA that comes. Source: RFC 9113 §8.1.1.
bool H2RequestReader::read_body_length(bool body_follows) noexcept {
  const std::optional<std::string_view> length = request_.headers.value(FieldId::content_length);
  const bool tunnel = request_.method == Method::connect;
  if (!length) {
    request_.body = body_follows && !tunnel ? BodyKind::chunked : BodyKind::none;
    return true;
  }
  const std::optional<std::uint64_t> bytes = parse_decimal(*length);
  if (!bytes || tunnel || (!body_follows && *bytes != 0)) return false;
  request_.content_length = *bytes;
  request_.body = BodyKind::length;
  return true;
}

bool H2RequestReader::read_expectation() noexcept {
  for (const Field& field : request_.headers) {
    if (field.id != FieldId::expect) continue;
    if (!iequals(field.value, "100-continue")) return false;
    request_.expects_continue = request_.body == BodyKind::chunked || request_.content_length > 0;
  }
  return true;
}

// HTTP/2 clients send a cookie in crumbs so that each compresses by itself; everything behind this
// server expects one field. Source: RFC 9113 §8.2.3.
void H2RequestReader::join_cookies() {
  if (cookie_crumbs_ < 2) return;
  constexpr std::string_view separator = "; ";
  std::size_t size = (cookie_crumbs_ - 1) * separator.size();
  for (const Field& field : request_.headers) {
    if (field.id == FieldId::cookie) size += field.value.size();
  }
  char* const joined = arena_.allocate_array<char>(size);
  char* at = joined;
  for (const Field& field : request_.headers) {
    if (field.id != FieldId::cookie) continue;
    if (at != joined)
      at = static_cast<char*>(std::memcpy(at, separator.data(), separator.size())) +
           separator.size();
    if (!field.value.empty()) std::memcpy(at, field.value.data(), field.value.size());
    at += field.value.size();
  }
  request_.headers.remove(FieldId::cookie);
  request_.headers.add("cookie", {joined, size}, FieldId::cookie);
}

}  // namespace portero::http
