#include "http/h1_connection.hpp"

#include "http/h1_exchange.hpp"

namespace portero::http {
namespace {

constexpr std::size_t head_read_bytes = 4 * 1024;
// After an answer that ends the connection the client may still be sending; closing at once would
// make the kernel answer with a reset, which can overtake the answer. Source: RFC 9112 §9.6.
constexpr std::size_t lingering_bytes_max = 1024 * 1024;
constexpr Milliseconds lingering_time_max{2'000};

class H1Connection {
 public:
  H1Connection(H1Context& context, Buffer& input) noexcept
      : context_(context),
        transport_(context.stream, context.timers, context.timeouts, input),
        header_time_(context.timeouts.header),
        idle_time_(context.timeouts.idle) {}

  Task<std::unique_ptr<Session>> run();

 private:
  Task<Result<>> wait_for_request();
  Task<H1Next> serve_request();
  Task<Result<>> read_head(H1RequestParser& parser, H1Exchange& exchange);
  Task<Result<>> read_rest_of_head(H1RequestParser& parser, H1Exchange& exchange);
  Task<> close(H1Next how);

  H1Context& context_;
  H1Transport transport_;
  bool served_before_ = false;
  // Of the site that was asked last: which one comes next is not known before its head.
  Milliseconds header_time_;
  Milliseconds idle_time_;
  std::unique_ptr<Session> session_;
};

// An idle connection holds this frame and that of wait_for_request(), no buffer and no arena.
Task<std::unique_ptr<Session>> H1Connection::run() {
  H1Next next = H1Next::request;
  while (next == H1Next::request) {
    const Result<> arrived = co_await wait_for_request();
    if (!arrived) {
      next = H1Next::close;
      break;
    }
    next = co_await serve_request();
    served_before_ = true;
  }
  if (next != H1Next::takeover) co_await close(next);
  co_return std::move(session_);
}

// Returns when a request has begun to arrive.
Task<Result<>> H1Connection::wait_for_request() {
  if (!transport_.input.empty()) co_return Result<>();
  Result<> filled = transport_.try_fill(head_read_bytes);
  if (filled || filled.error() != Errc::would_block) co_return filled;
  if (served_before_ && context_.service.draining()) co_return Errc::cancelled;
  // A client that connects and says nothing gets no longer than one that says it slowly.
  transport_.arm_read(served_before_ ? idle_time_ : header_time_, Errc::timeout_idle);
  transport_.output.release();
  context_.idle = true;
  filled = co_await transport_.fill(head_read_bytes);
  context_.idle = false;
  transport_.disarm_read();
  co_return filled;
}

Task<H1Next> H1Connection::serve_request() {
  H1Exchange exchange(transport_, context_.info, context_.service);
  H1RequestParser parser;
  const Result<> head = co_await read_head(parser, exchange);
  if (!head) {
    const bool client_left = !parser.started() || head.error().info().side != Side::client;
    if (client_left) co_return H1Next::close;
    const H1Next refused = co_await exchange.refuse(head.error(), parser.detail());
    co_return refused;
  }
  exchange.begin();
  co_await context_.service.serve(exchange);
  header_time_ = exchange.timeouts.header;
  idle_time_ = exchange.timeouts.idle;
  const H1Next next = co_await exchange.finish();
  if (next == H1Next::takeover) session_ = std::move(exchange.takeover);
  co_return next;
}

Task<Result<>> H1Connection::read_head(H1RequestParser& parser, H1Exchange& exchange) {
  const Result<HeadState> state = parser.next(transport_.input, exchange.request, exchange.arena);
  if (state && *state == HeadState::need_more) return read_rest_of_head(parser, exchange);
  return Task<Result<>>::ready(state ? Result<>() : state.error());
}

Task<Result<>> H1Connection::read_rest_of_head(H1RequestParser& parser, H1Exchange& exchange) {
  Result<HeadState> state = HeadState::need_more;
  transport_.arm_read(header_time_, Errc::timeout_head);
  context_.reading_head = true;
  while (state && *state == HeadState::need_more) {
    const Result<> filled = co_await transport_.fill(head_read_bytes);
    if (!filled) {
      context_.reading_head = false;
      transport_.disarm_read();
      co_return filled;
    }
    state = parser.next(transport_.input, exchange.request, exchange.arena);
  }
  context_.reading_head = false;
  transport_.disarm_read();
  if (!state) co_return state.error();
  co_return Result<>();
}

Task<> H1Connection::close(H1Next how) {
  if (how == H1Next::abort) co_return;  // no orderly end: what was sent must not look whole
  context_.stream.shutdown_write();
  if (how != H1Next::linger) co_return;
  transport_.arm_read(lingering_time_max, Errc::timeout_idle);
  for (std::size_t discarded = 0; discarded < lingering_bytes_max;) {
    discarded += transport_.input.size();
    transport_.input.clear();
    const Result<> filled = co_await transport_.fill(head_read_bytes);
    if (!filled) break;
  }
  transport_.disarm_read();
}

}  // namespace

Task<std::unique_ptr<Session>> serve_h1(H1Context& context, Buffer& input) {
  H1Connection connection(context, input);
  co_return co_await connection.run();
}

}  // namespace portero::http
