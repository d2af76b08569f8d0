#include "proxy/php_call.hpp"

#include <algorithm>

#include "base/assert.hpp"
#include "base/log.hpp"
#include "proxy/failure_text.hpp"

namespace portero::proxy {
namespace {

// An answer that is whole within this time and size leaves in one piece, with its length.
constexpr std::int64_t gather_ms = 100;
constexpr std::size_t gather_bytes_max = 64 * 1024;
// What may wait for a slow client: then PHP waits too.
constexpr std::uint64_t spool_bytes_max = 1024 * 1024 * 1024;
constexpr std::uint64_t stream_bytes_max = 64 * 1024;
// What PHP may say to the log about one request.
constexpr std::size_t error_bytes_max = 64 * 1024;
constexpr std::uint8_t status_overloaded = 2;
constexpr Milliseconds reconsider_wait_max{1'000};

}  // namespace

PhpCall::PhpCall(http::Exchange& exchange, Lease lease, const PhpSettings& settings,
                 NextTurn& next_turn, bool may_repeat)
    : exchange_(exchange),
      pool_(&lease.pool()),
      lease_(std::move(lease)),
      settings_(settings),
      next_turn_(next_turn),
      response_(exchange.arena),
      spool_(settings.spool_folder, spool_memory_max),
      may_repeat_(may_repeat) {
  client_.emplace(lease_->connection(), exchange_, *pool_, settings.response);
}

Task<Result<>> PhpCall::run(Bytes params, const BodySpool& body) {
  exchange_.upstream = pool_->settings().text;
  client_->begin(params, body, !http::is_idempotent(exchange_.request.method));
  const Result<> gathered = co_await gather();
  if (!gathered) {
    may_retry_ = judge_retry(gathered.error().code);
    const bool was_reset = client_->was_reset();
    client_.reset();
    lease_.reset();
    if (may_retry_ && was_reset) co_await reconsider();
    if (may_retry_) co_return gathered;
    co_return co_await conclude_failure(gathered.error());
  }
  if (!file().empty()) co_return Result<>();
  co_return co_await deliver();
}

// --- what PHP says -------------------------------------------------------------------------------

// Reads the head and what comes of the body at once.
Task<Result<>> PhpCall::gather() {
  std::int64_t until_ms = 0;
  while (!ended_) {
    const Result<std::optional<FastCgiPiece>> here = client_->buffered();
    if (!here || *here) {
      const Result<> taken = take(here ? Result<FastCgiPiece>(**here) : here.error());
      if (!taken) co_return taken;
      continue;
    }
    std::int64_t wait_ms = -1;
    if (head_.complete() && file().empty()) {
      const std::int64_t now_ms = coarse_clock().monotonic_ms;
      if (until_ms == 0) until_ms = now_ms + gather_ms;
      if (is_stream() || spool_.size() >= gather_bytes_max) break;
      wait_ms = std::max<std::int64_t>(until_ms - now_ms, 0);
    }
    const Result<> received = co_await receive(wait_ms);
    if (!received && received.error() == Errc::would_block) break;
    if (!received) co_return received;
  }
  co_return Result<>();
}

Task<Result<>> PhpCall::receive(std::int64_t wait_ms_max) {
  const Result<FastCgiPiece> piece = co_await client_->next(wait_ms_max);
  co_return take(piece);
}

Result<> PhpCall::take(const Result<FastCgiPiece>& piece) {
  received_ = client_->anything_received();
  sent_ = client_->anything_sent() && !client_->is_held_back();
  if (!piece) {
    const Errc code = piece.error().code;
    if (code == Errc::cancelled) client_failed_ = true;
    const bool began = received_ && (code == Errc::end_of_stream || code == Errc::connection_reset);
    if (began) return Errc::upstream_truncated;
    return piece.error();
  }
  switch (piece->type) {
    case FastCgiType::stdout_data: return take_output(piece->data);
    case FastCgiType::stderr_data: log_errors(piece->data); return {};
    case FastCgiType::end_request: return take_end(piece->data);
    default: break;
  }
  detail_ = "it sent a FastCGI record that is none of an answer";
  return Errc::bad_upstream_response;
}

Result<> PhpCall::take_output(Bytes data) {
  if (!head_.complete()) {
    const Result<std::optional<std::size_t>> taken = head_.take(data, response_, exchange_.arena);
    if (!taken) {
      detail_ = head_.detail();
      return taken.error();
    }
    data.remove_prefix(taken->value_or(data.size()));
  }
  share_used_ = receive_share_.spend(data.size());
  if (data.empty() || is_bodiless() || !file().empty()) return {};
  return spool_.append(data);
}

// A line of the log for each of PHP's, with the id that the access log has too.
void PhpCall::log_errors(Bytes text) {
  while (!text.empty() && error_bytes_ < error_bytes_max) {
    const std::size_t end = text.find('\n');
    const Bytes line = trim_ows(text.substr(0, end));
    text.remove_prefix(end == Bytes::npos ? text.size() : end + 1);
    error_bytes_ += line.size() + 1;
    if (line.empty()) continue;
    log::warn("php.stderr", log::kv("request_id", request_id(exchange_)),
              log::kv("host", exchange_.request.host), log::kv("path", exchange_.request.path),
              log::kv("text", line));
  }
}

// PHP is done with the request: its process is free for the next.
Result<> PhpCall::take_end(Bytes content) {
  const std::optional<FastCgiEnd> end = parse_end_request(content);
  const bool is_reusable = client_->finish();
  if (is_reusable) lease_->keep();
  ++lease_->connection().answers;
  client_.reset();
  lease_.reset();
  ended_ = true;
  if (end && end->protocol_status == status_overloaded) return Errc::upstream_pool_full;
  if (head_.complete()) return {};
  detail_ = "it ended without a header: see the log of PHP-FPM";
  return Errc::bad_upstream_response;
}

// --- what the client gets ------------------------------------------------------------------------

bool PhpCall::is_bodiless() const noexcept {
  return exchange_.request.method == http::Method::head || response_.status == 204 ||
         response_.status == 304;
}

bool PhpCall::is_stream() const noexcept {
  if (!settings_.buffering || head_.wants_no_buffering()) return true;
  constexpr std::string_view event_stream = "text/event-stream";
  const std::optional<std::string_view> type = response_.headers.value(http::FieldId::content_type);
  return type && iequals(type->substr(0, event_stream.size()), event_stream);
}

// The script's own Content-Length counts; else what is known already; else it is not known yet.
void PhpCall::decide_framing() noexcept {
  if (response_.status == 204) return;
  if (head_.content_length()) {
    response_.body = http::BodyKind::length;
    response_.content_length = *head_.content_length();
  } else if (response_.status == 304) {
    return;
  } else if (ended_ && exchange_.request.method != http::Method::head) {
    response_.body = http::BodyKind::length;
    response_.content_length = spool_.size();
  } else {
    response_.body = http::BodyKind::chunked;
  }
  if (response_.body == http::BodyKind::length && !is_bodiless()) left_ = response_.content_length;
}

Task<Result<>> PhpCall::deliver() {
  decide_framing();
  if (!ended_) {
    receiving_ = true;
    spawn(receive_rest());
  }
  Result<> sent = co_await exchange_.send_head(response_);
  if (!sent) client_failed_ = true;
  if (sent) sent = co_await send_from_spool();
  // The other coroutine lives in this frame.
  stopped_ = true;
  room_.signal();
  if (receiving_ && client_) client_->stop();
  while (receiving_) co_await news_;
  if (sent) co_return sent;
  client_.reset();
  lease_.reset();
  co_return co_await conclude_failure(sent.error());
}

// Runs beside send_from_spool(), as fast as PHP writes. It steps back while the client keeps up, so
// that only what a slow client leaves reaches the temporary file.
Task<> PhpCall::receive_rest() {
  const std::uint64_t bytes_max = is_stream() ? stream_bytes_max : spool_bytes_max;
  while (!ended_ && !stopped_) {
    if (spool_.size() >= bytes_max) {
      co_await room_;
      if (client_) client_->restart_patience();
      continue;
    }
    const bool is_ahead = spool_.size() >= gather_bytes_max && !sending_;
    if (is_ahead || share_used_) {
      co_await receive_share_.next_turn(next_turn_);
      share_used_ = false;
    }
    if (stopped_) break;
    const Result<> received = co_await receive(-1);
    if (!received) {
      failure_ = received.error().code;
      break;
    }
    if (news_.has_waiter()) news_.signal();
  }
  receiving_ = false;
  news_.signal();
}

Task<Result<>> PhpCall::send_from_spool() {
  for (;;) {
    if (!spool_.empty()) {
      const Result<Bytes> piece = spool_.front();
      if (!piece) co_return piece.error();
      const Bytes wanted =
          piece->substr(0, static_cast<std::size_t>(std::min<std::uint64_t>(piece->size(), left_)));
      if (left_ != UINT64_MAX) left_ -= wanted.size();
      const bool is_last =
          (ended_ && spool_.size() == piece->size() && (left_ == 0 || left_ == UINT64_MAX));
      const std::size_t taken = piece->size();
      const Result<> sent = co_await send_piece(wanted, is_last ? http::Last::yes : http::Last::no);
      if (!sent || is_last) co_return sent;
      spool_.take(taken);
      if (room_.has_waiter()) room_.signal();
      continue;
    }
    if (failure_ != Errc::ok) co_return failure_;
    if (ended_) {
      if (left_ != 0 && left_ != UINT64_MAX) co_return Errc::upstream_truncated;
      co_return co_await send_piece({}, http::Last::yes);
    }
    // The client gets what there is before more is waited for.
    const Result<> flushed = co_await send_piece({}, http::Last::no);
    if (!flushed) co_return flushed;
    if (spool_.empty() && !ended_ && failure_ == Errc::ok) co_await news_;
  }
}

Task<Result<>> PhpCall::send_piece(Bytes piece, http::Last last) {
  sending_ = true;
  const Result<> sent = co_await exchange_.send_body(piece, last);
  sending_ = false;
  if (!sent) client_failed_ = true;
  if (sent && last == http::Last::no && send_share_.spend(piece.size())) {
    co_await send_share_.next_turn(next_turn_);
  }
  co_return sent;
}

// --- failures ------------------------------------------------------------------------------------

bool PhpCall::judge_retry(Errc code) const noexcept {
  if (!may_repeat_ || client_failed_ || received_) return false;
  const bool died = code == Errc::end_of_stream || code == Errc::connection_reset;
  if (!died) return false;
  return !sent_ || http::is_idempotent(exchange_.request.method);
}

// A reset is that of a connection in the backlog if PHP-FPM listens no more: it was stopped. Where
// it listens, a process may have been killed.
Task<> PhpCall::reconsider() {
  const auto connected = co_await pool_->dial(reconsider_wait_max);
  sent_ = connected.has_value();
  may_retry_ = !sent_ || http::is_idempotent(exchange_.request.method);
}

Task<Result<>> PhpCall::conclude_failure(Error error) {
  if (client_failed_) {
    exchange_.reset(error.code);
    co_return error;
  }
  log::warn("php.failed", log::kv("upstream", pool_->settings().text), log::kv("error", error),
            log::kv("detail", detail_), log::kv("request_id", request_id(exchange_)),
            log::kv("host", exchange_.request.host), log::kv("path", exchange_.request.path));
  if (exchange_.head_sent()) {
    const Result<> flushed = co_await exchange_.send_body({}, http::Last::no);
    exchange_.reset(flushed ? error.code : flushed.error().code);
    co_return error;
  }
  co_return co_await answer_php_failure(exchange_, error, *pool_, detail_);
}

Task<Result<>> answer_php_failure(http::Exchange& exchange, Error error, const UpstreamPool& pool,
                                  std::string_view detail) {
  const bool is_answer = error == Errc::bad_upstream_response;
  if (!is_answer) co_return co_await answer_failure(exchange, error, pool);
  if (detail.empty()) detail = "it does not speak FastCGI: is it PHP-FPM that listens there?";
  const std::string_view text = exchange.arena.concat("PHP at ", pool.settings().text,
                                                      " sent no valid answer: ", detail, "\n");
  co_return co_await http::respond_error(exchange, failure_status(error.code), text);
}

}  // namespace portero::proxy
