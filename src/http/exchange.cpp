#include "http/exchange.hpp"

namespace portero::http {

Task<Result<>> Exchange::send_head(Response& response) {
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

}  // namespace portero::http
