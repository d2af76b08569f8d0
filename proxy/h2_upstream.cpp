#include "proxy/h2_upstream.hpp"

#include <algorithm>

#include "base/log.hpp"
#include "proxy/failure_text.hpp"

namespace portero::proxy {
namespace {

constexpr int interim_answers_max = 16;
constexpr Milliseconds sweep_period{1'000};

http::H2ClientRequest request_of(const http::Exchange& exchange, const UpstreamRequest& made,
                                 const UpstreamPool& pool, std::string_view authority) {
  http::H2ClientRequest request;
  request.method = made.method;
  request.scheme = pool.settings().tls ? "https" : "http";
  request.authority = authority;
  request.path = exchange.request.target;
  request.fields = made.fields.all();
  return request;
}

}  // namespace

// --- connections ---------------------------------------------------------------------------------

H2Upstream::H2Upstream(PoolRef pool) : pool_(std::move(pool)), sweep_timer_(&sweep, this) {}

H2Upstream::~H2Upstream() {
  for (const Kept& kept : connections_) {
    if (kept.connection->stream_count() == 0) kept.connection->close(Errc::cancelled);
  }
}

Task<Result<http::H2ClientPointer>> H2Upstream::connection(Milliseconds timeout) {
  for (const Kept& kept : connections_) {
    if (kept.connection->has_room()) co_return kept.connection;
  }
  Result<std::unique_ptr<UpstreamConnection>> made = co_await pool_->dial(timeout);
  if (!made) co_return made.error();
  http::H2ClientPointer connection = http::H2ClientConnection::start(std::move((*made)->stream));
  connections_.push_back({connection});
  if (!sweep_timer_.armed()) sweep_timer_.arm(pool_->loop().timers(), sweep_period);
  co_return connection;
}

void H2Upstream::sweep(void* self) {
  auto& upstream = *static_cast<H2Upstream*>(self);
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  const std::int64_t idle_ms = upstream.pool_->settings().idle.count();
  std::erase_if(upstream.connections_, [&](Kept& kept) {
    if (!kept.connection->is_alive()) return true;
    if (kept.connection->stream_count() != 0) {
      kept.idle_since_ms = 0;
      return false;
    }
    if (kept.idle_since_ms == 0) kept.idle_since_ms = now_ms;
    const bool expired = idle_ms != 0 && now_ms - kept.idle_since_ms >= idle_ms;
    if (expired) kept.connection->close(Errc::timeout_idle);
    return expired;
  });
  if (!upstream.connections_.empty()) {
    upstream.sweep_timer_.arm(upstream.pool_->loop().timers(), sweep_period);
  }
}

// --- one request ---------------------------------------------------------------------------------

H2Call::H2Call(http::Exchange& exchange, Lease place, http::H2ClientPointer connection,
               const ProxySettings& settings, const ProxyCall::Surroundings& around)
    : exchange_(exchange),
      place_(std::move(place)),
      stream_(std::move(connection), exchange.arena),
      settings_(settings),
      around_(around),
      patience_([](void* self) { static_cast<H2Call*>(self)->stream_.news().signal(); }, this) {}

Task<Result<>> H2Call::run() {
  exchange_.upstream = place_.pool().settings().text;
  exchange_.client_watch = &stream_.news();
  Result<> result = begin();
  if (result) result = co_await converse();
  patience_.disarm();
  exchange_.client_watch = nullptr;
  if (!result) {
    const bool began = stream_.has_head();
    const bool is_fresh = !began && !client_failed_ && !uploading_ && !has_body_;
    may_retry_ = is_fresh && around_.may_repeat_new && request_failure_ == Errc::ok &&
                 result.error() != Errc::timeout_response &&
                 (stream_.was_refused() || http::is_idempotent(exchange_.request.method));
    upstream_failed_ =
        !client_failed_ && request_failure_ == Errc::ok && result.error() != Errc::cancelled;
    if (!may_retry_) result = co_await conclude_failure(result.error());
  }
  stop_upload_ = true;
  while (uploading_) co_await upload_ended_;
  co_return result;
}

Result<> H2Call::begin() {
  const http::Request& request = exchange_.request;
  UpstreamRequest made =
      make_upstream_request(exchange_, place_.pool(), settings_.headers_up, UpgradeRequest());
  const std::string_view authority =
      made.fields.value(http::FieldId::host).value_or(std::string_view());
  made.fields.remove(http::FieldId::host);
  made.fields.remove(http::FieldId::connection);
  made.fields.remove(http::FieldId::upgrade);
  made.fields.remove(http::FieldId::expect);
  if (made.body.kind == http::BodyKind::length) {
    made.fields.add("content-length", exchange_.arena.copy(std::to_string(made.body.length)));
  }
  has_body_ = request.body != http::BodyKind::none &&
              !(request.body == http::BodyKind::length && request.content_length == 0);
  http::H2ClientRequest asked = request_of(exchange_, made, place_.pool(), authority);
  asked.has_body = has_body_;
  const Result<> opened = stream_.open(asked);
  if (!opened) return opened;
  if (has_body_) {
    uploading_ = true;
    spawn(upload());
  } else {
    due_ms_ = coarse_clock().monotonic_ms + settings_.response.count();
  }
  return {};
}

// Runs beside converse(). A body that breaks off ends both.
Task<> H2Call::upload() {
  // An upstream that takes no more may have answered.
  (void)co_await upload_pieces();
  due_ms_ = coarse_clock().monotonic_ms + settings_.response.count();
  uploading_ = false;
  stream_.news().signal();
  upload_ended_.signal();
}

Task<Result<>> H2Call::upload_pieces() {
  const http::Request& request = exchange_.request;
  const bool has_length = request.body == http::BodyKind::length;
  std::uint64_t left = has_length ? request.content_length : UINT64_MAX;
  while (left != 0) {
    const Result<Bytes> piece = co_await exchange_.read_body();
    if (stop_upload_) co_return Errc::cancelled;
    if (!piece || (has_length && (piece->empty() || piece->size() > left))) {
      request_failure_ = piece ? Errc::bad_framing : piece.error().code;
      co_return request_failure_;
    }
    if (piece->empty()) break;
    left -= piece->size();
    const Result<> sent = co_await stream_.send_body(*piece, left == 0);
    if (!sent) co_return sent;
  }
  if (has_length) co_return Result<>();
  co_return co_await stream_.send_body({}, true);
}

// Waits for something of the answer.
Task<Result<>> H2Call::await_news() {
  for (;;) {
    if (request_failure_ != Errc::ok) co_return request_failure_;
    if (stream_.failure() != Errc::ok) co_return stream_.failure();
    if (exchange_.client_gone()) {
      client_failed_ = true;
      co_return Errc::cancelled;
    }
    const std::int64_t now_ms = coarse_clock().monotonic_ms;
    if (due_ms_ != 0 && now_ms >= due_ms_) co_return Errc::timeout_response;
    if (due_ms_ != 0) {
      patience_.arm(place_.pool().loop().timers(), Milliseconds(due_ms_ - now_ms));
    }
    co_await stream_.news();
    if (stream_.has_head() || stream_.has_body() || stream_.ended()) co_return Result<>();
  }
}

Task<Result<>> H2Call::converse() {
  int interim_answers = 0;
  for (;;) {
    while (!stream_.has_head()) {
      const Result<> news = co_await await_news();
      if (!news) co_return news;
    }
    http::Response& head = stream_.head();
    if (head.status >= 200 && head.status <= 599) break;
    const bool is_interim = head.status >= 100 && head.status < 200 && head.status != 101;
    if (!is_interim || ++interim_answers > interim_answers_max) {
      co_return Errc::bad_upstream_response;
    }
    if (head.status != 100) {
      clean_response_fields(head.headers, false);
      const Result<> sent = co_await exchange_.send_interim(head);
      if (!sent) {
        client_failed_ = true;
        co_return sent;
      }
    }
    stream_.take_interim();
  }
  const Result<> passed = co_await pass_head();
  if (!passed) co_return passed;
  co_return co_await relay_body();
}

Task<Result<>> H2Call::pass_head() {
  http::Response& head = stream_.head();
  const auto length = head.headers.value(http::FieldId::content_length);
  const std::optional<std::uint64_t> bytes = length ? parse_decimal(*length) : std::nullopt;
  const bool is_bodiless = head.status == 204 || head.status == 304;
  clean_response_fields(head.headers, false);
  if (bytes && head.status != 204) {
    head.body = http::BodyKind::length;
    head.content_length = *bytes;
  } else if (!is_bodiless) {
    head.body =
        stream_.ended() && !stream_.has_body() && exchange_.request.method != http::Method::head
            ? http::BodyKind::length
            : http::BodyKind::chunked;
    head.content_length = 0;
  }
  settings_.headers_down.apply(head.headers, exchange_);
  if (settings_.headers_down.removes(http::FieldId::server)) head.server_header = false;
  if (!around_.set_cookie.empty()) {
    head.headers.add("Set-Cookie", around_.set_cookie, http::FieldId::set_cookie);
  }
  const Result<> sent = co_await exchange_.send_head(head);
  if (!sent) client_failed_ = true;
  co_return sent;
}

Task<Result<>> H2Call::relay_body() {
  for (;;) {
    due_ms_ = coarse_clock().monotonic_ms + settings_.response.count();
    const Buffer taken = stream_.take_body();
    const Bytes piece = taken.readable();
    const bool is_last = stream_.ended();
    if (piece.empty() && !is_last) {
      // The client gets what there is before more is waited for.
      const Result<> flushed = co_await exchange_.send_body({}, http::Last::no);
      if (!flushed) {
        client_failed_ = true;
        co_return flushed;
      }
      while (!stream_.has_body() && !stream_.ended()) {
        const Result<> news = co_await await_news();
        if (!news) co_return news;
      }
      continue;
    }
    const std::size_t size = piece.size();
    const Result<> sent =
        co_await exchange_.send_body(piece, is_last ? http::Last::yes : http::Last::no);
    if (!sent) {
      client_failed_ = true;
      co_return sent;
    }
    if (is_last) co_return Result<>();
    stream_.release(size);
  }
}

Task<Result<>> H2Call::conclude_failure(Error error) {
  if (request_failure_ != Errc::ok) {
    if (exchange_.head_sent()) exchange_.reset(request_failure_);
    co_return request_failure_;
  }
  if (client_failed_) {
    exchange_.reset(error.code);
    co_return error;
  }
  const UpstreamPool& pool = place_.pool();
  log::warn("upstream.failed", log::kv("upstream", pool.settings().text), log::kv("error", error),
            log::kv("protocol", "HTTP/2"), log::kv("host", exchange_.request.host),
            log::kv("path", exchange_.request.path));
  const Errc told = error == Errc::stream_reset ? Errc::end_of_stream : error.code;
  co_return co_await end_with_failure(exchange_, Error(told, error.os_error), pool);
}

}  // namespace portero::proxy
