#include "http/h1_exchange.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "http/date.hpp"

namespace portero::http {
namespace {

constexpr std::uint64_t raw_bytes_min = 64 * 1024;  // of a body that may be written past this
constexpr std::size_t body_read_bytes = 16 * 1024;
constexpr std::size_t output_bytes_max = 16 * 1024;
// Copying a piece next to the head is cheaper than a second iovec below about 2 kB.
constexpr std::size_t copied_piece_bytes_max = 2 * 1024;
// A body must make this much progress in the time allowed for progress: a byte now and then does
// not count.
constexpr std::size_t progress_bytes_min = 1024;
// What may be left of a request after its answer for the connection to be used again.
constexpr std::size_t drained_bytes_max = 64 * 1024;
constexpr Milliseconds drain_time_max{2'000};
// The end of a client's side counts as part of its request when it comes so soon after it.
constexpr Milliseconds half_close_time_max{1'000};

constexpr std::string_view continue_head = "HTTP/1.1 100 Continue\r\n\r\n";
constexpr std::string_view server_name = "portero";

}  // namespace

H1Exchange::H1Exchange(H1Transport& transport, const ConnectionInfo& connection_info,
                       const Service& service) noexcept
    : Exchange(connection_info, transport.timeouts()), transport_(transport), service_(service) {
  started_ms = coarse_clock().monotonic_ms;
  request.client_ip = connection.peer;
  request.scheme = connection.tls ? "https" : "http";
  transport_.stream().watch_peer(&client_watch);
}

H1Exchange::~H1Exchange() { transport_.stream().watch_peer(nullptr); }

void H1Exchange::begin() noexcept {
  decoder_ = H1BodyDecoder({request.body, request.content_length});
  continue_pending_ = request.expects_continue;
  keep_alive_ = wants_keep_alive(request);
  request_read_ms_ = coarse_clock().monotonic_ms;
}

Task<H1Next> H1Exchange::refuse(Error error, std::string_view detail) {
  const ErrorInfo& info = error.info();
  if (log::enabled(info.level)) {
    log::write(info.level, "http.request_refused",
               {log::kv("client", connection.peer.to_string()), log::kv("error", info.name),
                log::kv("detail", detail)});
  }
  if (info.http_status == 0) co_return H1Next::close;
  read_failure_ = error.code;
  const std::string_view text = arena.concat(reason_phrase(info.http_status), ": ",
                                             detail.empty() ? info.text : detail, "\n");
  const Result<> answered = co_await respond(*this, info.http_status, text);
  co_return answered ? H1Next::linger : H1Next::abort;
}

// The connection's end is all that shows the end of a body without length to an HTTP/1.0 client: a
// body that was cut ends with a reset instead.
H1Next H1Exchange::give_up() noexcept {
  if (framing_.kind == BodyKind::until_close && !finished_) transport_.stream().reset_at_end();
  return H1Next::abort;
}

Task<H1Next> H1Exchange::finish() {
  const bool complete = finished_ && write_failure_ == Errc::ok && !switching_;
  if (complete && keep_alive_ && decoder_.done()) return Task<H1Next>::ready(H1Next::request);
  return finish_slowly();
}

Task<H1Next> H1Exchange::finish_slowly() {
  if (write_failure_ != Errc::ok) co_return give_up();
  if (!head_sent()) {
    const Result<> answered = co_await respond(*this, 500, "Internal Server Error\n");
    if (!answered) co_return H1Next::abort;
  }
  if (!finished_) {
    const bool nothing_left = !body_expected_ || framing_ == BodyFraming{BodyKind::length, 0};
    if (!nothing_left) co_return give_up();
    const Result<> flushed = co_await flush({});
    if (!flushed) co_return H1Next::abort;
  }
  if (switching_) {
    // What is left of a body must not be taken for the first bytes of the new protocol.
    co_return takeover&& decoder_.done() ? H1Next::takeover : H1Next::abort;
  }
  const bool drained = co_await drain();
  if (!drained) co_return H1Next::linger;
  if (keep_alive_) co_return H1Next::request;
  co_return transport_.input.empty() ? H1Next::close : H1Next::linger;
}

// --- the request's body ----------------------------------------------------------------------

Task<Result<Bytes>> H1Exchange::read_body() {
  while (read_failure_ == Errc::ok) {
    const Result<BodyPiece> piece = decoder_.next(transport_.input, request.trailers, arena);
    if (!piece) {
      read_failure_ = piece.error().code;
      break;
    }
    if (piece->state == BodyPiece::State::end) {
      request_read_ms_ = coarse_clock().monotonic_ms;
      co_return Bytes();
    }
    if (piece->state == BodyPiece::State::data) {
      body_bytes_read += piece->data.size();
      if (body_bytes_read > body_bytes_max) {
        read_failure_ = Errc::body_too_large;
        break;
      }
      co_return piece->data;
    }
    const Result<> more = co_await read_more();
    if (!more && more.error() == Errc::cancelled) co_return Errc::cancelled;  // stop_waiting()
    if (!more) read_failure_ = more.error().code;
  }
  co_return read_failure_;
}

// Reads on into the input, within the time that is left for the body to make progress.
Task<Result<>> H1Exchange::read_more() {
  if (continue_pending_) send_continue();
  const std::size_t before = transport_.input.size();
  Result<> filled = transport_.try_fill(body_read_bytes);
  if (!filled && filled.error() == Errc::would_block) {
    const std::int64_t waits_since = coarse_clock().monotonic_ms;
    transport_.arm_read(std::max(timeouts.body - waited_, Milliseconds(0)), Errc::timeout_body);
    waits_for_body_ = true;
    filled = co_await transport_.fill(body_read_bytes);
    waits_for_body_ = false;
    transport_.disarm_read();
    waited_ += Milliseconds(coarse_clock().monotonic_ms - waits_since);
  }
  progress_bytes_ += transport_.input.size() - before;
  if (progress_bytes_ >= progress_bytes_min) {
    progress_bytes_ = 0;
    waited_ = Milliseconds(0);
  }
  co_return filled;
}

// Does not wait for the stream: another coroutine may be writing. What it does not take now goes
// out with the next write. Source: RFC 9110 §10.1.1.
void H1Exchange::send_continue() {
  continue_pending_ = false;
  if (head_sent() || write_failure_ != Errc::ok) return;
  transport_.output.append(continue_head);
  H1Pieces nothing;
  const Result<> written = transport_.try_write(nothing);
  if (!written && written.error() != Errc::would_block) write_failure_ = written.error().code;
}

// Nobody needs the body any more: a read that waits for the client returns, so that the exchange
// can end. What is left is the business of drain().
void H1Exchange::stop_waiting() noexcept {
  if (waits_for_body_) transport_.stop_read(Errc::cancelled);
}

// Reads what the handler has left unread, if that is little and comes at once. Returns whether the
// next request can be found behind it.
Task<bool> H1Exchange::drain() {
  if (decoder_.done()) co_return true;
  if (read_failure_ != Errc::ok || continue_pending_) co_return false;
  if (decoder_.remaining() > drained_bytes_max) co_return false;
  transport_.arm_read(drain_time_max, Errc::timeout_body);
  std::size_t drained = 0;
  while (!decoder_.done() && drained <= drained_bytes_max) {
    const Result<BodyPiece> piece = decoder_.next(transport_.input, request.trailers, arena);
    if (!piece) break;
    drained += piece->data.size();
    if (piece->state != BodyPiece::State::need_more) continue;
    const Result<> more = co_await transport_.fill(body_read_bytes);
    if (!more) break;
  }
  transport_.disarm_read();
  co_return decoder_.done();
}

// --- the response ------------------------------------------------------------------------------

Task<Result<>> H1Exchange::send_interim(Response& response) {
  if (write_failure_ != Errc::ok) co_return write_failure_;
  if (response.status / 100 != 1 || response.status == 101) co_return Errc::internal;
  if (request.version == Version::http_1_0 || head_sent()) co_return Result<>();
  if (response.status == 100) continue_pending_ = false;
  encode_interim_head(response, transport_.output);
  co_return co_await flush({});
}

Task<Result<>> H1Exchange::write_head(Response& response) {
  return Task<Result<>>::ready(encode_head(response));
}

Result<> H1Exchange::encode_head(Response& response) {
  PORTERO_ASSERT(response_ == nullptr && !finished_);
  const bool is_final =
      response.status == 101 || (response.status >= 200 && response.status < 1000);
  if (!is_final) reset(Errc::internal);
  if (write_failure_ != Errc::ok) return write_failure_;
  response_ = &response;
  H1ResponseOptions options;
  options.date = http_date_now();
  if (response.server_header) options.server = server_name;
  switching_ = response.status == 101 ||
               (request.method == Method::connect && takeover && response.status / 100 == 2);
  if (switching_) {
    encode_switching_head(response, options, transport_.output);
    return {};
  }
  body_expected_ = !is_bodiless(response.status, request.method);
  framing_ = announce(response);
  if (framing_.kind == BodyKind::length && framing_.length >= raw_bytes_min &&
      transport_.stream().raw_fd() >= 0) {
    raw_body = this;
  }
  keep_alive_ = decide_keep_alive(response);
  options.body = framing_;
  options.close = !keep_alive_;
  options.keep_alive = keep_alive_ && request.version == Version::http_1_0;
  encode_response_head(response, options, transport_.output);
  return {};
}

// How the response says where its body ends. Source: RFC 9110 §8.6, RFC 9112 §6.
BodyFraming H1Exchange::announce(const Response& response) noexcept {
  if (response.status < 200 || response.status == 204) return {};
  if (response.body == BodyKind::length) return {BodyKind::length, response.content_length};
  if (!body_expected_) return {};  // what a GET would say is not known
  if (response.body == BodyKind::none) return {BodyKind::length, 0};
  if (request.version == Version::http_1_0) return {BodyKind::until_close, 0};
  return {BodyKind::chunked, 0};
}

bool H1Exchange::decide_keep_alive(const Response& response) const noexcept {
  if (!keep_alive_ || response.close || service_.draining()) return false;
  if (framing_.kind == BodyKind::until_close) return false;
  // Said here already when the rest of the request will not be waited for.
  return read_failure_ == Errc::ok && !continue_pending_ &&
         decoder_.remaining() <= drained_bytes_max;
}

Task<Result<>> H1Exchange::write_body(Bytes piece, Last last) {
  PORTERO_ASSERT(head_sent());
  using Sent = Task<Result<>>;
  if (write_failure_ != Errc::ok) return Sent::ready(write_failure_);
  if (finished_) return Sent::ready({});
  const bool flush_only = piece.empty() && last == Last::no;
  if (!body_expected_) piece = {};
  if (body_expected_ && framing_.kind == BodyKind::length) {
    if (piece.size() > framing_.length) keep_alive_ = false;  // the handler has miscounted
    piece = piece.substr(0, std::min<std::uint64_t>(piece.size(), framing_.length));
    framing_.length -= piece.size();
  }
  body_bytes_sent += piece.size();
  if (piece.size() > copied_piece_bytes_max) return send_large(piece, last);
  add_to_output(piece, last);
  if (!flush_only && last == Last::no && transport_.output.size() < output_bytes_max) {
    return Sent::ready({});
  }
  H1Pieces nothing;
  const Result<> written = transport_.try_write(nothing);
  if (!written) return send_rest(written.error(), last);
  return Sent::ready(last == Last::no ? Result<>() : complete());
}

// Goes on when the client does not take everything at once.
Task<Result<>> H1Exchange::send_rest(Error error, Last last) {
  Result<> flushed = error;
  if (error == Errc::would_block) flushed = co_await transport_.write({}, timeouts.write);
  if (!flushed) write_failure_ = flushed.error().code;
  if (!flushed || last == Last::no) co_return flushed;
  co_return complete();
}

net::ByteStream* H1Exchange::begin_raw(std::uint64_t bytes) noexcept {
  const bool is_plain = head_sent() && !finished_ && write_failure_ == Errc::ok && body_expected_ &&
                        body_filter == nullptr && framing_.kind == BodyKind::length &&
                        framing_.length > bytes && transport_.output.empty();
  return is_plain ? &transport_.stream() : nullptr;
}

void H1Exchange::note_raw(std::uint64_t bytes) noexcept {
  PORTERO_ASSERT(bytes < framing_.length);
  framing_.length -= bytes;
  body_bytes_sent += bytes;
}

void H1Exchange::add_to_output(Bytes piece, Last last) {
  if (!body_expected_ || framing_.kind != BodyKind::chunked) {
    transport_.output.append(piece);
    return;
  }
  if (!piece.empty()) encode_chunk(piece, transport_.output);
  if (last == Last::yes) encode_last_chunk(response_->trailers.all(), transport_.output);
}

Task<Result<>> H1Exchange::send_large(Bytes piece, Last last) {
  H1Pieces pieces{piece, {}};
  const bool chunked = framing_.kind == BodyKind::chunked;
  const bool has_trailers = !response_->trailers.empty();
  if (chunked) {
    encode_chunk_line(piece.size(), transport_.output);
    pieces.tail = last == Last::yes && !has_trailers ? "\r\n0\r\n\r\n" : "\r\n";
  }
  Result<> sent = co_await flush(pieces);
  if (!sent || last == Last::no) co_return sent;
  if (chunked && has_trailers) {
    encode_last_chunk(response_->trailers.all(), transport_.output);
    sent = co_await flush({});
    if (!sent) co_return sent;
  }
  co_return complete();
}

Task<Result<>> H1Exchange::flush(H1Pieces pieces) {
  Result<> written = transport_.try_write(pieces);
  if (!written && written.error() == Errc::would_block) {
    written = co_await transport_.write(pieces, timeouts.write);
  }
  if (!written) write_failure_ = written.error().code;
  co_return written;
}

// Ends the response after its last piece. Too few bytes can only be shown by cutting the
// connection. Errors: internal.
Result<> H1Exchange::complete() noexcept {
  finished_ = true;
  response_ = nullptr;
  stop_waiting();
  if (body_expected_ && framing_.kind == BodyKind::length && framing_.length != 0) {
    write_failure_ = Errc::internal;
    return Errc::internal;
  }
  return {};
}

void H1Exchange::reset(Errc why) noexcept {
  PORTERO_ASSERT(why != Errc::ok);
  if (write_failure_ == Errc::ok) write_failure_ = why;
  stop_waiting();
}

// A client that ends its side has left, unless it did so along with its request: some (nc -N, old
// RPC clients) half-close the connection and wait for the answer. Over TLS nobody does; and who
// has more requests on the way waits for their answers.
bool H1Exchange::client_gone() const noexcept {
  const net::ByteStream& stream = transport_.stream();
  if (stream.peer_gone() || stream.failure() != Errc::ok) return true;
  const std::int64_t ended_ms = stream.peer_ended_ms();
  if (ended_ms == 0) return false;
  if (connection.tls) return true;
  return transport_.input.empty() && ended_ms > request_read_ms_ + half_close_time_max.count();
}

}  // namespace portero::http
