#include "http/h2_exchange.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "base/log.hpp"
#include "http/date.hpp"
#include "http/h1_body.hpp"

namespace portero::http {
namespace {

// Smaller pieces are copied: they share frames, and the handler goes on at once.
constexpr std::size_t copied_piece_bytes_max = 2 * 1024;
constexpr std::size_t output_bytes_max = 16 * 1024;
// A body must make this much progress in the time allowed for progress.
constexpr std::size_t progress_bytes_min = 1024;

constexpr std::string_view server_name = "portero";

}  // namespace

H2Exchange::H2Exchange(std::unique_ptr<H2Stream> stream, const H2Context& context) noexcept
    : Exchange(context.info, context.timeouts),
      context_(context),
      stream_(std::move(stream)),
      reader_(request, arena),
      read_timer_(&on_read_timeout, this) {
  stream_->set_exchange(this);
  started_ms = coarse_clock().monotonic_ms;
  request.client_ip = connection.peer;
}

H2Exchange::~H2Exchange() {
  if (stream_) stream_->set_exchange(nullptr);
}

bool H2Exchange::begin(bool body_follows) {
  const H2HeadCheck check = reader_.finish(connection, body_follows);
  const bool good = !check.malformed && check.refusal_status == 0;
  if (!good && log::enabled(LogLevel::info)) {
    log::info("http.request_refused", log::kv("client", connection.peer.to_string()),
              log::kv("detail", check.detail));
  }
  refusal_status_ = check.refusal_status;
  refusal_detail_ = check.detail;
  continue_pending_ = request.expects_continue;
  return !check.malformed;
}

Task<> H2Exchange::refuse() {
  Response response(arena);
  response.status = refusal_status_;
  response.headers.add("content-type", "text/plain; charset=utf-8", FieldId::content_type);
  // RFC 9110 §15.5.6 wants it with 405, which only CONNECT gets here.
  if (refusal_status_ == 405) response.headers.add("allow", "GET, HEAD, POST, PUT, PATCH, DELETE");
  const std::string_view text =
      arena.concat(reason_phrase(refusal_status_), ": ", refusal_detail_, "\n");
  (void)co_await respond(*this, response, text);
}

Task<> H2Exchange::finish() {
  if (!head_sent()) {
    (void)co_await respond(*this, 500, "Internal Server Error\n");
  }
  if (is_tunnel() && takeover) {
    while (!stream_->head_done() && stream_->failure() == Errc::ok) co_await stream_->writable();
    co_return;
  }
  if (is_tunnel()) {
    stream_->end_output({});
  } else if (!finished_) {
    const bool nothing_left = !body_expected_ || (length_known_ && length_left_ == 0);
    if (!nothing_left) {
      stream_->reset(Errc::internal);
      co_return;
    }
    stream_->end_output({});
  }
  if (!stream_->output_done()) co_await wait_for_output();
}

std::unique_ptr<H2Stream> H2Exchange::release_stream() noexcept {
  if (!is_tunnel() || stream_->failure() != Errc::ok) return nullptr;
  stream_->set_exchange(nullptr);
  return std::move(stream_);
}

Task<> H2Exchange::wait_for_output() {
  stream_->watch_output();
  while (!stream_->output_done()) co_await stream_->writable();
  stream_->unwatch_output();
}

// --- the request's body --------------------------------------------------------------------------

Task<Result<Bytes>> H2Exchange::read_body() {
  if (is_tunnel()) co_return Bytes();
  for (;;) {
    const Result<Bytes> piece = stream_->take_input();
    if (piece) {
      body_bytes_read += piece->size();
      if (body_bytes_read > body_bytes_max) co_return Errc::body_too_large;
      progress_bytes_ += piece->size();
      if (progress_bytes_ >= progress_bytes_min) {
        progress_bytes_ = 0;
        waited_ = Milliseconds(0);
      }
      co_return *piece;
    }
    if (piece.error() != Errc::would_block) co_return piece.error();
    const Result<> more = co_await wait_for_input();
    if (!more) co_return more.error();
  }
}

Task<Result<>> H2Exchange::wait_for_input() {
  if (continue_pending_) send_continue();
  if (!read_timed_out_) {
    const std::int64_t waits_since = coarse_clock().monotonic_ms;
    read_timer_.arm(context_.timers, std::max(timeouts.body - waited_, Milliseconds(0)));
    co_await stream_->readable();
    read_timer_.disarm();
    waited_ += Milliseconds(coarse_clock().monotonic_ms - waits_since);
  }
  if (read_timed_out_) co_return Errc::timeout_body;
  co_return Result<>();
}

void H2Exchange::on_read_timeout(void* self) {
  auto* const exchange = static_cast<H2Exchange*>(self);
  exchange->read_timed_out_ = true;
  exchange->stream_->readable().signal();
}

// Source: RFC 9110 §10.1.1.
void H2Exchange::send_continue() {
  continue_pending_ = false;
  if (head_sent()) return;
  Response response(arena);
  response.status = 100;
  stream_->send_interim(make_interim_fields(response, arena));
}

// --- the response --------------------------------------------------------------------------------

Task<Result<>> H2Exchange::send_interim(Response& response) {
  PORTERO_ASSERT(response.status >= 100 && response.status < 200 && response.status != 101);
  if (stream_->failure() != Errc::ok) co_return stream_->failure();
  if (head_sent()) co_return Result<>();
  if (response.status == 100) continue_pending_ = false;
  stream_->send_interim(make_interim_fields(response, arena));
  co_return Result<>();
}

Task<Result<>> H2Exchange::write_head(Response& response) {
  return Task<Result<>>::ready(submit_head(response));
}

Result<> H2Exchange::submit_head(Response& response) {
  PORTERO_ASSERT(response_ == nullptr && !finished_);
  if (response.status < 200 || response.status > 999) stream_->reset(Errc::internal);
  if (stream_->failure() != Errc::ok) return stream_->failure();
  response_ = &response;
  tunnel_ = request.method == Method::connect && response.status / 100 == 2 && !is_refused();
  body_expected_ = !tunnel_ && !is_bodiless(response.status, request.method);
  if (response.body == BodyKind::none && body_expected_) response.content_length = 0;
  length_known_ = response.body == BodyKind::length || response.body == BodyKind::none;
  length_left_ = body_expected_ && length_known_ ? response.content_length : 0;

  H2ResponseOptions options;
  options.date = http_date_now();
  if (response.server_header) options.server = server_name;
  const bool says_length = response.body == BodyKind::length && !tunnel_ && response.status != 204;
  if (says_length || (response.body == BodyKind::none && body_expected_)) {
    options.content_length = response.content_length;
  }
  const bool empty = !tunnel_ && (!body_expected_ || (length_known_ && length_left_ == 0));
  stream_->send_head(make_response_fields(response, options, arena), empty);
  return {};
}

Task<Result<>> H2Exchange::write_body(Bytes piece, Last last) {
  PORTERO_ASSERT(head_sent());
  using Sent = Task<Result<>>;
  if (stream_->failure() != Errc::ok) return Sent::ready(stream_->failure());
  if (finished_ || is_tunnel()) return Sent::ready({});
  if (!body_expected_) piece = {};
  const Result<> counted = account(piece.size(), last);
  if (!counted) return Sent::ready(counted);
  if (piece.size() > copied_piece_bytes_max) return send_lent(piece, last);
  if (!has_room(piece.size())) return send_copied_later(piece, last);
  if (!piece.empty()) stream_->send_copy(piece);
  if (last == Last::yes) end_output();
  return Sent::ready({});
}

// Small pieces wait only when too many of them have been copied, large ones never: nothing else is
// lent while they do.
bool H2Exchange::has_room(std::size_t piece_bytes) const noexcept {
  return piece_bytes == 0 || stream_->output_size() + piece_bytes <= output_bytes_max;
}

Task<Result<>> H2Exchange::send_copied_later(Bytes piece, Last last) {
  stream_->watch_output();
  while (!has_room(piece.size()) && stream_->failure() == Errc::ok) co_await stream_->writable();
  stream_->unwatch_output();
  if (stream_->failure() != Errc::ok) co_return stream_->failure();
  stream_->send_copy(piece);
  if (last == Last::yes) end_output();
  co_return Result<>();
}

Task<Result<>> H2Exchange::send_lent(Bytes piece, Last last) {
  stream_->lend(piece);
  if (last == Last::yes) end_output();
  stream_->watch_output();
  while (!stream_->lent().empty()) co_await stream_->writable();
  stream_->unwatch_output();
  if (stream_->failure() != Errc::ok) co_return stream_->failure();
  co_return Result<>();
}

// A response that turns out to be longer or shorter than it said is visibly broken off.
// Errors: internal.
Result<> H2Exchange::account(std::size_t piece_bytes, Last last) {
  body_bytes_sent += piece_bytes;
  if (!length_known_ || !body_expected_) return {};
  const bool too_long = piece_bytes > length_left_;
  if (!too_long) length_left_ -= piece_bytes;
  if (!too_long && (last == Last::no || length_left_ == 0)) return {};
  stream_->reset(Errc::internal);
  return Errc::internal;
}

void H2Exchange::end_output() {
  stream_->end_output(make_trailer_fields(response_->trailers, arena));
  finished_ = true;
  response_ = nullptr;
}

void H2Exchange::reset(Errc why) noexcept {
  PORTERO_ASSERT(why != Errc::ok);
  stream_->reset(why);
}

bool H2Exchange::client_gone() const noexcept {
  return stream_->failure() != Errc::ok || context_.stream.peer_gone();
}

}  // namespace portero::http
