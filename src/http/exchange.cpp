#include "http/exchange.hpp"

#include "base/hash.hpp"
#include "net/crypto.hpp"

namespace portero::http {

Task<Result<>> Exchange::send_head(Response& response) {
  if (error_answer != nullptr) {
    response.status = error_answer->status;
    for (const Field& field : error_answer->headers) response.headers.add(field);
  }
  for (const ResponseStep* step : response_steps) step->apply(*this, response);
  status_sent = response.status;
  return write_head(response);
}

Task<Result<>> Exchange::send_filtered(Bytes piece, Last last) {
  const bool is_flush = piece.empty() && last == Last::no;
  for (;;) {
    const Result<BodyFilter::Output> output = body_filter->next(piece, last);
    if (!output) {
      reset(output.error().code);
      co_return output.error();
    }
    // The last bytes leave with the end of the body: one write.
    const Last end = output->done ? last : Last::no;
    if (!output->data.empty() || end == Last::yes) {
      const Result<> sent = co_await write_body(output->data, end);
      if (!sent) co_return sent;
    }
    if (output->done) break;
  }
  if (!is_flush) co_return Result<>();
  co_return co_await write_body({}, Last::no);
}

Task<Result<>> respond(Exchange& exchange, int status, std::string_view body,
                       std::string_view content_type) {
  Response response(exchange.arena);
  response.status = status;
  response.headers.add("Content-Type", content_type, FieldId::content_type);
  co_return co_await respond(exchange, response, body);
}

Task<Result<>> respond(Exchange& exchange, Response& response, std::string_view body) {
  response.body = BodyKind::length;
  response.content_length = body.size();
  const Result<> head = co_await exchange.send_head(response);
  if (!head) co_return head;
  const bool head_only = exchange.request.method == Method::head;
  co_return co_await exchange.send_body(head_only ? Bytes() : body, Last::yes);
}

std::string_view request_id(Exchange& exchange) {
  static thread_local std::uint64_t next = net::random_u64();
  while (exchange.request_id == 0) exchange.request_id = mix_bits(next += 0x9e3779b97f4a7c15U);
  constexpr std::string_view digits = "0123456789abcdef";
  constexpr int digit_count = 16;
  char* const out = exchange.arena.allocate_array<char>(digit_count);
  for (int i = 0; i < digit_count; ++i) {
    out[i] = digits[(exchange.request_id >> (60 - 4 * i)) & 15];
  }
  return {out, digit_count};
}

}  // namespace portero::http
