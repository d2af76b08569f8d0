#include "proxy/file_answer.hpp"

#include <charconv>
#include <vector>

#include "base/bytes.hpp"
#include "proxy/file_conditions.hpp"
#include "proxy/placeholder.hpp"

namespace portero::proxy {
namespace {

std::string_view number_text(std::uint64_t number, Arena& arena) {
  constexpr std::size_t digits_max = 20;
  char* const out = arena.allocate_array<char>(digits_max);
  return {out, static_cast<std::size_t>(std::to_chars(out, out + digits_max, number).ptr - out)};
}

// "bytes 0-499/1234"
std::string_view content_range(const ByteRange& range, std::uint64_t size, Arena& arena) {
  return arena.concat("bytes ", number_text(range.first, arena), "-",
                      number_text(range.last(), arena), "/", number_text(size, arena));
}

void set_length(http::Response& response, std::uint64_t bytes) noexcept {
  response.body = http::BodyKind::length;
  response.content_length = bytes;
}

Task<Result<>> send_head_alone(http::Exchange& exchange, http::Response& response) {
  const Result<> head = co_await exchange.send_head(response);
  if (!head) co_return head;
  co_return co_await exchange.send_body({}, http::Last::yes);
}

Task<Result<>> send_range(http::Exchange& exchange, http::Response& response, const OpenFile& file,
                          ByteRange range, NextTurn& next_turn) {
  set_length(response, range.count);
  if (exchange.request.method == http::Method::head) {
    co_return co_await send_head_alone(exchange, response);
  }
  const Result<> head = co_await exchange.send_head(response);
  if (!head) co_return head;
  co_return co_await send_file_bytes(exchange, file, range, http::Last::yes, next_turn);
}

// Several ranges in one body. Source: RFC 9110 §14.6.
Task<Result<>> send_parts(http::Exchange& exchange, http::Response& response, const OpenFile& file,
                          const ByteRanges& ranges, NextTurn& next_turn) {
  Arena& arena = exchange.arena;
  const std::string_view boundary = arena.concat("portero-", request_id(exchange));
  const http::Field* const type = response.headers.find(http::FieldId::content_type);
  std::vector<std::string_view> heads;
  const std::string_view end = arena.concat("\r\n--", boundary, "--\r\n");
  std::uint64_t bytes = end.size();
  for (const ByteRange& range : ranges.ranges()) {
    heads.push_back(arena.concat("\r\n--", boundary, "\r\nContent-Type: ", type->value,
                                 "\r\nContent-Range: ", content_range(range, file.size, arena),
                                 "\r\n\r\n"));
    bytes += heads.back().size() + range.count;
  }
  response.headers.set("Content-Type", arena.concat("multipart/byteranges; boundary=", boundary));
  set_length(response, bytes);
  Result<> sent = co_await exchange.send_head(response);
  for (std::size_t i = 0; sent && i < heads.size(); ++i) {
    sent = co_await exchange.send_body(heads[i], http::Last::no);
    if (sent)
      sent =
          co_await send_file_bytes(exchange, file, ranges.ranges()[i], http::Last::no, next_turn);
  }
  if (!sent) co_return sent;
  co_return co_await exchange.send_body(end, http::Last::yes);
}

void add_validators(http::Response& response, const OpenFile& file) {
  http::HeaderList& fields = response.headers;
  if (fields.find(http::FieldId::content_type) == nullptr) {
    fields.add("Content-Type", file.type.text, http::FieldId::content_type);
  }
  if (fields.find("ETag") == nullptr) fields.add("ETag", file.etag);
  if (fields.find("Last-Modified") == nullptr) fields.add("Last-Modified", file.last_modified());
}

Task<Result<>> refuse_method(http::Exchange& exchange) {
  http::Response response(exchange.arena);
  response.status = 405;
  response.headers.add("Allow", "GET, HEAD");
  co_return co_await http::respond_error(exchange, response,
                                         "A file can only be read: GET or HEAD.\n");
}

}  // namespace

Task<Result<>> answer_with_file(http::Exchange& exchange, http::Response& response,
                                FilePointer file, NextTurn& next_turn) {
  const http::Request& request = exchange.request;
  if (request.method != http::Method::get && request.method != http::Method::head) {
    co_return co_await refuse_method(exchange);
  }
  const FileConditions conditions(request, {file->etag, file->modified_s()});
  response.status = conditions.status;
  if (response.status == 412) {
    co_return co_await http::respond_error(exchange, 412, "The file has changed.\n");
  }
  if (response.status == 304) {
    // Source: RFC 9110 §15.4.5: what the client has already is not said again.
    response.headers.remove(http::FieldId::content_type);
    response.headers.remove(http::FieldId::content_encoding);
    response.headers.set("ETag", file->etag);
    response.headers.set("Last-Modified", file->last_modified());
    co_return co_await send_head_alone(exchange, response);
  }
  add_validators(response, *file);
  response.headers.add("Accept-Ranges", "bytes");
  const ByteRanges ranges(conditions.range, file->size);
  switch (ranges.answer()) {
    case ByteRanges::Answer::whole: break;
    case ByteRanges::Answer::unsatisfiable: {
      http::Response refusal(exchange.arena);
      refusal.status = 416;
      refusal.headers.add(
          "Content-Range",
          exchange.arena.concat("bytes */", number_text(file->size, exchange.arena)));
      co_return co_await http::respond_error(exchange, refusal, "The file is shorter than that.\n");
    }
    case ByteRanges::Answer::parts:
      response.status = 206;
      if (ranges.ranges().size() > 1) {
        co_return co_await send_parts(exchange, response, *file, ranges, next_turn);
      }
      response.headers.add("Content-Range",
                           content_range(ranges.ranges()[0], file->size, exchange.arena));
      co_return co_await send_range(exchange, response, *file, ranges.ranges()[0], next_turn);
  }
  co_return co_await send_range(exchange, response, *file, {0, file->size}, next_turn);
}

Task<Result<>> send_whole_file(http::Exchange& exchange, http::Response& response, FilePointer file,
                               NextTurn& next_turn) {
  if (response.headers.find(http::FieldId::content_type) == nullptr) {
    response.headers.add("Content-Type", file->type.text, http::FieldId::content_type);
  }
  co_return co_await send_range(exchange, response, *file, {0, file->size}, next_turn);
}

}  // namespace portero::proxy
