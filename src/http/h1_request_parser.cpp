#include "http/h1_request_parser.hpp"

#include "base/bytes.hpp"
#include "http/chars.hpp"
#include "http/h1_body.hpp"
#include "http/h1_field_line.hpp"
#include "http/target.hpp"

namespace portero::http {
namespace {

constexpr std::string_view version_prefix = "HTTP/";
constexpr std::size_t version_bytes = sizeof("HTTP/1.1") - 1;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

std::string_view scan_error_detail(Errc code) noexcept {
  switch (code) {
    case Errc::uri_too_long: return "the request line is too long";
    case Errc::header_too_large: return "too many header fields, or too large";
    default: return "a control byte, a bare CR or a bare LF in the head";
  }
}

// Cuts "http://" or "https://" off. The scheme says nothing: the connection decides.
bool remove_http_scheme(std::string_view& target) noexcept {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() > scheme.size() && iequals(target.substr(0, scheme.size()), scheme)) {
      target.remove_prefix(scheme.size());
      return true;
    }
  }
  return false;
}

}  // namespace

Result<HeadState> H1RequestParser::next(Buffer& in, Request& request, Arena& arena) {
  const Result<HeadState> state = scan(in);
  if (!state || *state == HeadState::need_more) return state;
  const std::string_view head = arena.copy(in.readable().substr(0, scanner_.scanned()));
  in.consume(head.size());
  const Result<> parsed = parse(head, request, arena);
  if (!parsed) return parsed.error();
  return HeadState::complete;
}

// One empty line before a request is let pass: some clients end a body with it.
// Source: RFC 9112 §2.2.
Result<HeadState> H1RequestParser::scan(Buffer& in) noexcept {
  if (!started_) {
    if (!skipped_empty_line_ && in.readable().starts_with("\r\n")) {
      in.consume(2);
      skipped_empty_line_ = true;
    }
    const std::string_view text = in.readable();
    if (text.empty() || (!skipped_empty_line_ && text == "\r")) return HeadState::need_more;
    started_ = true;
    // Another protocol is told at once, not when its bytes happen to hold a line.
    if (!is_char_of(text.front(), char_class::token)) {
      return fail(Errc::bad_request, "the request does not start with a method");
    }
  }
  const Result<HeadState> state = scanner_.scan(in.readable());
  if (!state) detail_ = scan_error_detail(state.error().code);
  return state;
}

Result<> H1RequestParser::parse(std::string_view head, Request& request, Arena& arena) {
  request.headers.clear();
  const Result<> line = parse_request_line(scanner_.line(head, 0), request);
  if (!line) return line;
  const Result<> fields = parse_fields(head, request);
  if (!fields) return fields;
  const Result<> host = check_host(request);
  if (!host) return host;
  if (lacks_path_) request.target = arena.concat("/", request.target);
  switch (normalise_target(request, arena)) {
    case TargetCheck::ok: break;
    case TargetCheck::bad_target: return fail(Errc::bad_request, "the request target is malformed");
    case TargetCheck::bad_host: return fail(Errc::bad_host, "the host is malformed");
  }
  return check_body(request);
}

Result<> H1RequestParser::parse_request_line(std::string_view line, Request& request) {
  const std::size_t method_end = line.find(' ');
  const std::size_t target_end = line.find(' ', method_end + 1);
  if (method_end == std::string_view::npos || target_end == std::string_view::npos) {
    return fail(Errc::bad_request, "the request line is not: method, target, version");
  }
  request.method_text = line.substr(0, method_end);
  if (method_end > method_bytes_max || !is_token(request.method_text)) {
    return fail(Errc::bad_request, "the method is malformed");
  }
  request.method = identify_method(request.method_text);

  const std::string_view version = line.substr(target_end + 1);
  if (version.size() != version_bytes || !version.starts_with(version_prefix) ||
      !is_digit(version[5]) || version[6] != '.' || !is_digit(version[7])) {
    return fail(Errc::bad_request, "the request line is not: method, target, version");
  }
  if (version[5] != '1') return fail(Errc::version_not_supported, "only HTTP/1.0 and HTTP/1.1");
  // A later minor version is served as 1.1. Source: RFC 9110 §2.5.
  request.version = version[7] == '0' ? Version::http_1_0 : Version::http_1_1;
  return parse_target(line.substr(method_end + 1, target_end - method_end - 1), request);
}

// Fills target, and authority where the target names one. Source: RFC 9112 §3.2.
Result<> H1RequestParser::parse_target(std::string_view target, Request& request) {
  if (target.size() > target_bytes_max) {
    return fail(Errc::uri_too_long, "the request target is too long");
  }
  request.authority = {};
  request.target = target;
  if (request.method == Method::connect) {
    const std::size_t colon = target.rfind(':');
    if (colon == std::string_view::npos ||
        target.find_first_not_of("0123456789", colon + 1) != std::string_view::npos ||
        target.ends_with(':')) {
      return fail(Errc::bad_request, "CONNECT needs host:port");
    }
    request.authority = target;
    request.target = "*";
    return {};
  }
  if (target.starts_with('/')) return {};
  if (target == "*") {
    if (request.method == Method::options) return {};
    return fail(Errc::bad_request, "the target * is for OPTIONS only");
  }
  if (!remove_http_scheme(target)) {
    return fail(Errc::bad_request, "the request target is malformed");
  }
  const std::size_t authority_end = std::min(target.find_first_of("/?#"), target.size());
  request.authority = target.substr(0, authority_end);
  if (request.authority.empty()) return fail(Errc::bad_host, "the target names no host");
  request.target = target.substr(authority_end);
  if (request.target.empty() && request.method == Method::options) {
    request.target = "*";  // RFC 9112 §3.2.4
    return {};
  }
  lacks_path_ = !request.target.starts_with('/');
  return {};
}

Result<> H1RequestParser::parse_fields(std::string_view head, Request& request) {
  const std::size_t lines = scanner_.line_count();
  for (std::size_t i = 1; i < lines; ++i) {
    Field field;
    if (!split_field_line(scanner_.line(head, i), field)) {
      return fail(Errc::bad_request, "a header line is not: name, colon, value");
    }
    request.headers.add(field);
  }
  return {};
}

// Exactly one Host; an absolute target replaces it. Source: RFC 9112 §3.2, §3.2.2.
Result<> H1RequestParser::check_host(Request& request) {
  const Field* host = nullptr;
  for (const Field& field : request.headers) {
    if (field.id != FieldId::host) continue;
    if (host != nullptr) return fail(Errc::bad_host, "more than one Host");
    host = &field;
  }
  const bool needs_host = request.version != Version::http_1_0;
  if (host == nullptr && needs_host) return fail(Errc::bad_host, "Host is missing");
  const std::string_view value = host == nullptr ? std::string_view() : host->value;
  std::string_view name;
  if ((needs_host || !value.empty()) && !split_authority(value, name)) {
    return fail(Errc::bad_host, "Host is malformed");
  }
  if (request.authority.empty()) {
    request.authority = value;
  } else {
    request.headers.set("Host", request.authority);
  }
  return {};
}

Result<> H1RequestParser::check_body(Request& request) noexcept {
  const Result<BodyFraming> framing =
      announced_framing(request.headers, request.version, Side::client);
  if (!framing) return fail(framing.error().code, "the length of the body is not clear");
  request.body = framing->kind;
  request.content_length = framing->length;

  request.expects_continue = false;
  // HTTP/1.0 knows no expectations; passed on, the field would become one. RFC 9110 §10.1.1.
  if (request.version == Version::http_1_0) request.headers.remove(FieldId::expect);
  for (const Field& field : request.headers) {
    if (field.id != FieldId::expect) continue;
    if (!iequals(field.value, "100-continue")) {
      return fail(Errc::expectation_failed, "the only expectation known is 100-continue");
    }
    request.expects_continue = request.body == BodyKind::chunked || request.content_length > 0;
  }
  return {};
}

bool wants_keep_alive(const Request& request) noexcept {
  if (request.version == Version::http_1_0) {
    return request.headers.has_token(FieldId::connection, "keep-alive") &&
           !request.headers.has_token(FieldId::connection, "close");
  }
  return !request.headers.has_token(FieldId::connection, "close");
}

}  // namespace portero::http
