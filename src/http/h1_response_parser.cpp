#include "http/h1_response_parser.hpp"

#include "base/bytes.hpp"
#include "http/chars.hpp"
#include "http/h1_field_line.hpp"

namespace portero::http {
namespace {

constexpr std::size_t status_line_bytes_min = sizeof("HTTP/1.1 200") - 1;
constexpr int status_min = 100;
constexpr int status_max = 599;

bool is_digit(char c) noexcept { return c >= '0' && c <= '9'; }

}  // namespace

Result<HeadState> H1ResponseParser::next(Buffer& in, Response& response, Arena& arena) {
  started_ = started_ || !in.empty();
  const Result<HeadState> state = scanner_.scan(in.readable());
  if (!state) return fail("a control byte in the head, or the head is too large");
  if (*state == HeadState::need_more) return state;
  const std::string_view head = arena.copy(in.readable().substr(0, scanner_.scanned()));
  in.consume(head.size());
  const Result<> parsed = parse(head, response);
  scanner_ = H1LineScanner(response_header_bytes_max);  // a final response may follow a 1xx
  if (!parsed) return parsed.error();
  return HeadState::complete;
}

Result<> H1ResponseParser::parse(std::string_view head, Response& response) {
  response.headers.clear();
  if (scanner_.line_count() == 0) return fail("the status line is empty");
  const Result<> line = parse_status_line(scanner_.line(head, 0), response);
  if (!line) return line;
  for (std::size_t i = 1; i < scanner_.line_count(); ++i) {
    Field field;
    if (!split_field_line(scanner_.line(head, i), field)) {
      return fail("a header line is not: name, colon, value");
    }
    response.headers.add(field);
  }
  return decide_body(response);
}

// A missing space after the status is let pass, as many servers leave it out with the reason.
Result<> H1ResponseParser::parse_status_line(std::string_view line, Response& response) noexcept {
  if (line.size() < status_line_bytes_min || !line.starts_with("HTTP/1.") || !is_digit(line[7]) ||
      line[8] != ' ' || !is_digit(line[9]) || !is_digit(line[10]) || !is_digit(line[11])) {
    return fail("the status line is malformed");
  }
  if (line.size() > status_line_bytes_min && line[status_line_bytes_min] != ' ') {
    return fail("the status line is malformed");
  }
  version_ = line[7] == '0' ? Version::http_1_0 : Version::http_1_1;
  response.status = (line[9] - '0') * 100 + (line[10] - '0') * 10 + (line[11] - '0');
  if (response.status < status_min || response.status > status_max) {
    return fail("the status is out of range");
  }
  reason_ = line.substr(std::min(line.size(), status_line_bytes_min + 1));
  return {};
}

Result<> H1ResponseParser::decide_body(Response& response) noexcept {
  const Result<BodyFraming> announced =
      announced_framing(response.headers, version_, Side::upstream);
  if (!announced) return fail("the length of the body is not clear");
  const bool head_only = is_bodiless(response.status, method_);
  const bool until_close = !head_only && announced->kind == BodyKind::none;
  framing_ = head_only ? BodyFraming{} : *announced;
  if (until_close) framing_.kind = BodyKind::until_close;

  const bool says_nothing = response.status < 200 || response.status == 204;
  response.body = says_nothing ? BodyKind::none : announced->kind;
  response.content_length = says_nothing ? 0 : announced->length;
  if (until_close) response.body = BodyKind::chunked;

  keep_alive_ = !until_close && !response.headers.has_token(FieldId::connection, "close") &&
                (version_ == Version::http_1_1 ||
                 response.headers.has_token(FieldId::connection, "keep-alive"));
  return {};
}

}  // namespace portero::http
