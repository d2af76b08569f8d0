#include "proxy/proxy_call.hpp"

#include "base/assert.hpp"
#include "base/log.hpp"
#include "proxy/failure_text.hpp"
#include "proxy/pipe.hpp"
#include "proxy/tunnel.hpp"

namespace portero::proxy {
namespace {

constexpr int interim_answers_max = 16;
// A client that waits for 100 (Continue) is told to go on when the upstream stays silent so long.
constexpr Milliseconds continue_time_max{1'000};
// The rest of a small answer is waited for before its head is flushed: it is on its way.
constexpr std::uint64_t small_rest_bytes_max = 16 * 1024;

// A body with at least so much left is spliced, but for its tail.
constexpr std::uint64_t spliced_bytes_min = 256 * 1024;
constexpr std::uint64_t spliced_tail_bytes = 16 * 1024;

}  // namespace

ProxyCall::ProxyCall(http::Exchange& exchange, Lease lease, const ProxySettings& settings,
                     const Surroundings& around)
    : exchange_(exchange),
      lease_(std::move(lease)),
      connection_(lease_.connection()),
      settings_(settings),
      client_(connection_, exchange, lease_.pool().loop().timers(), settings.response),
      parser_(exchange.request.method == http::Method::connect ? http::Method::get
                                                               : exchange.request.method),
      response_(exchange.arena),
      upgrade_(find_upgrade(exchange)),
      first_use_(connection_.answers == 0),
      around_(around) {}

Task<Result<>> ProxyCall::run() {
  exchange_.upstream = lease_.pool().settings().text;
  begin_request();
  Result<> result = co_await converse();
  if (!result) {
    may_retry_ = judge_retry(result.error().code);
    upstream_failed_ = !client_failed_ && request_failure_ == Errc::ok &&
                       result.error() != Errc::cancelled && (first_use_ || !may_retry_);
    if (!may_retry_) result = co_await conclude_failure(result.error());
  }
  co_await end_upload();
  if (is_reusable()) lease_.keep();
  co_return result;
}

// --- the request ---------------------------------------------------------------------------------

bool ProxyCall::has_body() const noexcept {
  const http::Request& request = exchange_.request;
  if (!upgrade_.protocol.empty() || request.body == http::BodyKind::none) return false;
  return request.body != http::BodyKind::length || request.content_length != 0;
}

void ProxyCall::begin_request() {
  const UpstreamRequest request =
      make_upstream_request(exchange_, lease_.pool(), settings_.headers_up, upgrade_);
  client_.begin({request.method, exchange_.request.target, request.fields.all(), request.body});
  if (!has_body()) {
    client_.expect_within(settings_.response);
  } else if (exchange_.request.expects_continue) {
    upload_ = Upload::waiting_for_continue;
    client_.expect_within(continue_time_max);
  } else {
    // What has come of the body already leaves with the head.
    client_.set_gathering(true);
    start_upload();
    client_.set_gathering(false);
  }
}

void ProxyCall::start_upload() {
  PORTERO_ASSERT(upload_ == Upload::none || upload_ == Upload::waiting_for_continue);
  upload_ = Upload::running;
  client_.expect_within(Milliseconds(0));
  spawn(upload());
}

// Runs beside converse(). A body that breaks off ends both; an upstream that takes no more does
// not: it may have answered.
Task<> ProxyCall::upload() {
  const Result<> sent = co_await upload_pieces();
  upload_ = sent ? Upload::complete : Upload::cut;
  if (request_failure_ == Errc::ok) {
    client_.expect_within(settings_.response);
  } else {
    connection_.stream->cancel(Errc::cancelled);
  }
  upload_ended_.signal();
}

Task<Result<>> ProxyCall::upload_pieces() {
  const http::Request& request = exchange_.request;
  const bool has_length = request.body == http::BodyKind::length;
  std::uint64_t left = has_length ? request.content_length : UINT64_MAX;
  while (left != 0) {
    const Result<Bytes> piece = co_await exchange_.read_body();
    if (stop_upload_) co_return Errc::cancelled;
    if (!piece) {
      request_failure_ = piece.error().code;
      co_return request_failure_;
    }
    if (has_length && (piece->empty() || piece->size() > left)) {
      request_failure_ = Errc::bad_framing;
      co_return request_failure_;
    }
    if (piece->empty()) break;
    left -= piece->size();
    const Result<> sent = co_await client_.send_body(*piece);
    if (!sent) co_return sent;
    if (left != 0 && upload_share_.spend(piece->size())) {
      co_await upload_share_.next_turn(around_.next_turn);
      if (stop_upload_) co_return Errc::cancelled;
    }
  }
  co_return co_await client_.end_body(request.trailers.all());
}

// The answer is over: nobody needs the rest of the body. A wait for the upstream ends at once, a
// wait for the client when it sends or its time for progress is over.
Task<> ProxyCall::end_upload() {
  if (upload_ != Upload::running) return Task<>::ready();
  return wait_for_upload();
}

Task<> ProxyCall::wait_for_upload() {
  stop_upload_ = true;
  connection_.stream->cancel(Errc::cancelled);
  while (upload_ == Upload::running) co_await upload_ended_;
}

// --- the answer ----------------------------------------------------------------------------------

Task<Result<>> ProxyCall::converse() {
  const Result<> sent = co_await client_.flush();
  // After a failed write there may still be an answer to read: it came before the request's end.
  if (!sent && !client_.anything_sent()) co_return sent;
  const Result<> head = co_await read_final_head();
  if (!head) co_return head;
  if (response_.status == 101) co_return co_await switch_protocols();
  const Result<> passed = co_await pass_head();
  if (!passed) co_return passed;
  co_return co_await relay_body();
}

Task<Result<>> ProxyCall::read_final_head() {
  int interim_answers = 0;
  for (;;) {
    const Result<http::HeadState> state =
        parser_.next(connection_.input, response_, exchange_.arena);
    if (!state) co_return state.error();
    if (*state == http::HeadState::need_more) {
      const Result<> more = co_await read_more_head();
      if (!more) co_return more;
      continue;
    }
    if (response_.status >= 200) co_return Result<>();
    if (response_.status == 101) {
      const bool accepted = accepts_upgrade(response_, upgrade_);
      co_return accepted ? Result<>() : Result<>(Errc::bad_upstream_response);
    }
    if (++interim_answers > interim_answers_max) co_return Errc::bad_upstream_response;
    const Result<> passed = co_await pass_interim();
    if (!passed) co_return passed;
  }
}

Task<Result<>> ProxyCall::read_more_head() {
  const Result<> more = co_await client_.fill();
  if (more) co_return more;
  const Errc code = more.error().code;
  if (code == Errc::timeout_response && upload_ == Upload::waiting_for_continue) {
    start_upload();
    co_return Result<>();
  }
  if (code == Errc::cancelled && request_failure_ == Errc::ok) client_failed_ = true;
  const bool began = code == Errc::end_of_stream && parser_.started();
  if (began) co_return Errc::upstream_truncated;
  co_return more;
}

// 100 is for this server, which tells its client by reading the body; the others are passed on.
Task<Result<>> ProxyCall::pass_interim() {
  if (response_.status == 100) {
    if (upload_ == Upload::waiting_for_continue) start_upload();
    co_return Result<>();
  }
  clean_response_fields(response_.headers, false);
  const Result<> sent = co_await exchange_.send_interim(response_);
  if (!sent) client_failed_ = true;
  co_return sent;
}

Task<Result<>> ProxyCall::pass_head() {
  // To a client that asked by extended CONNECT, any 2xx would mean that the tunnel is there.
  if (upgrade_.extended_connect && response_.status / 100 == 2) {
    co_return Errc::bad_upstream_response;
  }
  clean_response_fields(response_.headers, response_.status == 426);
  settings_.headers_down.apply(response_.headers, exchange_);
  if (settings_.headers_down.removes(http::FieldId::server)) response_.server_header = false;
  if (!around_.set_cookie.empty()) {
    response_.headers.add("Set-Cookie", around_.set_cookie, http::FieldId::set_cookie);
  }
  const Result<> sent = co_await exchange_.send_head(response_);
  if (!sent) client_failed_ = true;
  co_return sent;
}

// A piece is sent when it is known whether another follows, so that the last one can say so and a
// small answer leaves with one write.
Task<Result<>> ProxyCall::relay_body() {
  http::H1BodyDecoder decoder(parser_.framing(), Side::upstream);
  Bytes held;
  for (;;) {
    const Result<http::BodyPiece> piece =
        decoder.next(connection_.input, response_.trailers, exchange_.arena);
    const bool is_end = piece && decoder.done();
    const bool is_data = piece && piece->state == http::BodyPiece::State::data;
    if (!held.empty() && (is_data || !is_end)) {
      const Result<> sent = co_await send_piece(held, http::Last::no);
      if (!sent) co_return sent;
      held = {};
    }
    if (!piece) co_return piece.error();
    if (is_data) held = piece->data;
    if (is_end) {
      answer_complete_ = true;
      ++connection_.answers;
      co_return co_await send_piece(held, http::Last::yes);
    }
    if (is_data) continue;
    const Result<> more = co_await read_more_body(decoder);
    if (!more) co_return more;
  }
}

// Reads on; before it waits, the client gets everything there is.
Task<Result<>> ProxyCall::read_more_body(http::H1BodyDecoder& decoder) {
  client_.restart_patience();
  if (may_splice(decoder)) {
    const Result<> moved = co_await splice_middle(decoder);
    if (!moved) co_return moved;
  }
  Result<> more = client_.try_fill();
  if (!more && more.error() == Errc::would_block) {
    const bool rest_is_small = parser_.framing().kind == http::BodyKind::length &&
                               decoder.remaining() <= small_rest_bytes_max;
    if (!rest_is_small) {
      const Result<> flushed = co_await send_piece({}, http::Last::no);
      if (!flushed) co_return flushed;
    }
    more = co_await client_.fill();
  }
  if (more) co_return more;
  const Errc code = more.error().code;
  if (code == Errc::cancelled && request_failure_ == Errc::ok) client_failed_ = true;
  if (code == Errc::end_of_stream) co_return decoder.end_of_input();
  co_return more;
}

// Of a long body, all but its end can go from socket to socket inside the kernel.
bool ProxyCall::may_splice(const http::H1BodyDecoder& decoder) const noexcept {
  return exchange_.raw_body != nullptr && exchange_.body_filter == nullptr &&
         parser_.framing().kind == http::BodyKind::length &&
         decoder.remaining() >= spliced_bytes_min && connection_.input.empty() &&
         connection_.stream->raw_fd() >= 0;
}

// Saves two copies of every byte: 1 MB costs 0.7 of what read and write cost (tests/bench/files.py,
// proxied_1m). What is left at the end takes the ordinary way, with all that a body's end means.
Task<Result<>> ProxyCall::splice_middle(http::H1BodyDecoder& decoder) {
  const Result<> flushed = co_await send_piece({}, http::Last::no);
  if (!flushed) co_return flushed;
  std::uint64_t left = decoder.remaining() - spliced_tail_bytes;
  Pipe pipe;
  http::RawBody& raw = *exchange_.raw_body;
  const net::ByteStream* const to = pipe.is_open() ? raw.begin_raw(left) : nullptr;
  if (to == nullptr) co_return Result<>();
  while (left != 0) {
    const Result<std::size_t> taken = pipe.take(connection_.stream->raw_fd(), left);
    if (!taken && taken.error() == Errc::would_block) {
      const Result<> waited = co_await client_.wait();
      if (!waited && waited.error() == Errc::cancelled) client_failed_ = true;
      if (!waited) co_return waited;
      if (connection_.stream->failure() != Errc::ok) co_return connection_.stream->failure();
      continue;
    }
    if (!taken) co_return taken.error();
    if (*taken == 0) co_return Errc::upstream_truncated;
    left -= *taken;
    decoder.skip(*taken);
    client_.restart_patience();
    while (pipe.held() != 0) {
      const Result<std::size_t> given = pipe.give(to->raw_fd());
      if (given) {
        raw.note_raw(*given);
        continue;
      }
      Result<> room = given.error();
      if (given.error() == Errc::would_block) room = co_await raw.wait_raw();
      if (room) continue;
      client_failed_ = true;
      co_return room;
    }
    if (read_share_.spend(*taken)) co_await read_share_.next_turn(around_.next_turn);
  }
  co_return Result<>();
}

Task<Result<>> ProxyCall::send_piece(Bytes piece, http::Last last) {
  const Result<> sent = co_await exchange_.send_body(piece, last);
  if (!sent) client_failed_ = true;
  if (sent && last == http::Last::no && read_share_.spend(piece.size())) {
    co_await read_share_.next_turn(around_.next_turn);
  }
  co_return sent;
}

// The upstream has agreed: both connections become one tunnel when this exchange is over.
Task<Result<>> ProxyCall::switch_protocols() {
  clean_response_fields(response_.headers, true);
  if (upgrade_.extended_connect) {
    response_.status = 200;
    response_.headers.remove(http::FieldId::upgrade);
    response_.headers.remove(http::FieldId::sec_websocket_accept);
  } else {
    response_.headers.add("Connection", "Upgrade", http::FieldId::connection);
  }
  settings_.headers_down.apply(response_.headers, exchange_);
  exchange_.takeover =
      std::make_unique<TunnelSession>(std::move(lease_), settings_.idle, around_.next_turn);
  Result<> sent = co_await exchange_.send_head(response_);
  if (sent) sent = co_await exchange_.send_body({}, http::Last::no);
  if (!sent) client_failed_ = true;
  co_return sent;
}

// --- the end -------------------------------------------------------------------------------------

bool ProxyCall::judge_retry(Errc code) const noexcept {
  const bool may_repeat = first_use_ ? around_.may_repeat_new : around_.may_repeat_kept;
  if (!may_repeat || client_failed_ || upload_ != Upload::none) return false;
  const bool died = code == Errc::end_of_stream || code == Errc::connection_reset;
  if (!died || parser_.started()) return false;
  if (!client_.anything_sent()) return true;
  return http::is_idempotent(exchange_.request.method);
}

// Tells the client what can be told. Returns success when that was an answer.
Task<Result<>> ProxyCall::conclude_failure(Error error) {
  if (request_failure_ != Errc::ok) {
    if (exchange_.head_sent()) exchange_.reset(request_failure_);
    co_return request_failure_;
  }
  if (client_failed_) {
    exchange_.reset(error.code);
    co_return error;
  }
  const UpstreamPool& pool = lease_.pool();
  log::warn("upstream.failed", log::kv("upstream", pool.settings().text),
            log::kv("address", connection_.address.to_string()), log::kv("error", error),
            log::kv("detail", parser_.detail()), log::kv("host", exchange_.request.host),
            log::kv("path", exchange_.request.path));
  co_return co_await end_with_failure(exchange_, error, pool);
}

// Whether the connection is as it was before: the request sent to its end, the answer read to its
// end, nothing behind it.
bool ProxyCall::is_reusable() const noexcept {
  const bool request_complete = upload_ == Upload::none || upload_ == Upload::complete;
  return answer_complete_ && request_complete && !client_failed_ && parser_.keep_alive() &&
         connection_.input.empty() && connection_.output.empty() &&
         connection_.stream->failure() == Errc::ok;
}

}  // namespace portero::proxy
