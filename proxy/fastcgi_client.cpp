#include "proxy/fastcgi_client.hpp"

#include <linux/sockios.h>
#include <poll.h>
#include <sys/ioctl.h>

#include <algorithm>
#include <cerrno>
#include <utility>

#include "base/assert.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t read_bytes_first = 16 * 1024;
// A read that fills its room is followed by larger ones.
constexpr std::size_t read_bytes_max = 64 * 1024;
constexpr std::int64_t look_around_ms = 1'000;
constexpr std::int64_t look_for_reader_ms = 100;
// After how long a request on a new connection is one that no process has taken up. Over TCP nobody
// can tell who has read, so there an answer is late.
constexpr std::int64_t late_ms_local = 20;
constexpr std::int64_t late_ms_tcp = 200;
constexpr std::int64_t long_ms = 1'000;
// PHP needs no end of the body; a responder that does gets it so late.
constexpr std::int64_t end_waits_ms = look_around_ms;

}  // namespace

FastCgiClient::FastCgiClient(UpstreamConnection& connection, http::Exchange& exchange,
                             UpstreamPool& pool, Milliseconds patience) noexcept
    : connection_(connection),
      exchange_(exchange),
      pool_(pool),
      patience_(patience),
      is_fresh_(connection.answers == 0),
      read_bytes_(read_bytes_first),
      progress_ms_(coarse_clock().monotonic_ms),
      wake_([](void* self) { static_cast<FastCgiClient*>(self)->ready_.signal(); }, this) {
  connection_.tcp->set_follower(this);
}

FastCgiClient::~FastCgiClient() {
  connection_.tcp->set_follower(nullptr);
  if (is_stuck_) pool_.note_stuck(false);
}

void FastCgiClient::on_ready(std::uint32_t /*epoll_events*/) noexcept { ready_.signal(); }

void FastCgiClient::begin(Bytes params, const BodySpool& body, bool hold_back) {
  PORTERO_ASSERT(connection_.output.empty());
  Buffer& out = connection_.output;
  encode_begin_request(out);
  encode_stream(FastCgiType::params, params, out);
  body_ = &body;
  held_back_ = hold_back && connection_.address.is_unix();
  end_waits_ = hold_back && !connection_.address.is_unix();
  if (held_back_) {
    connection_.tcp->report_space(true);
  } else {
    encode_stream_end(FastCgiType::params, out);
  }
}

// Whether the other process has taken everything that was sent out of the socket. While it does,
// the kernel reports the socket as writable, so waiting needs no timer. A close throws away what
// was not read, but is told before: who is still there after the count has really read.
bool FastCgiClient::was_read() const noexcept {
  if (unread_bytes() > 1) return false;  // one while the last buffer is being freed
  pollfd event{connection_.tcp->fd(), POLLRDHUP, 0};
  return ::poll(&event, 1, 0) == 0;
}

// What lies in a unix socket, with the kernel's own overhead.
std::uint64_t FastCgiClient::unread_bytes() const noexcept {
  int unread = 0;
  return ::ioctl(connection_.tcp->fd(), SIOCOUTQ, &unread) == 0 ? static_cast<unsigned>(unread)
                                                                : UINT64_MAX;
}

// A request on a new connection that no process takes up claims one, again and again; where
// processes were too few a moment ago it does not wait to see. Returns in how many ms to look next.
std::int64_t FastCgiClient::claim_process(std::int64_t now_ms) {
  if (!is_fresh_) return look_around_ms;
  const bool is_local = connection_.address.is_unix();
  const std::int64_t late_ms = is_local ? late_ms_local : late_ms_tcp;
  const bool is_late = now_ms - progress_ms_ >= late_ms;
  const bool may_be_stuck = is_late || is_stuck_ || pool_.has_few_processes();
  is_fresh_ = !anything_received() && !(may_be_stuck && is_local && unread_bytes() < bytes_sent_);
  if (is_stuck_ != (is_fresh_ && may_be_stuck)) {
    is_stuck_ = !is_stuck_;
    pool_.note_stuck(is_stuck_);
  }
  if (is_stuck_) pool_.claim_process();
  if (is_stuck_ && is_late) pool_.note_few_processes();
  if (is_stuck_ && is_local && now_ms - progress_ms_ >= long_ms) pool_.warn_of_stuck();
  return is_fresh_ ? late_ms : look_around_ms;
}

void FastCgiClient::stop() noexcept {
  connection_.stream->cancel(Errc::cancelled);
  ready_.signal();
}

bool FastCgiClient::finish() noexcept {
  connection_.tcp->report_space(false);
  const Result<std::optional<FastCgiPiece>> more = buffered();
  return more && !*more && input_ended_ && !send_failed_ && connection_.output.empty() &&
         connection_.input.empty() && decoder_.at_boundary() &&
         connection_.stream->failure() == Errc::ok;
}

Task<Result<FastCgiPiece>> FastCgiClient::next(std::int64_t wait_ms_max) {
  const std::int64_t until_ms =
      wait_ms_max < 0 ? INT64_MAX : coarse_clock().monotonic_ms + wait_ms_max;
  for (;;) {
    const Result<std::optional<FastCgiPiece>> piece = buffered();
    if (!piece) co_return piece.error();
    if (*piece) co_return **piece;
    const Result<> sent = send_some();
    if (!sent) co_return sent.error();
    const Result<> read = read_some();
    if (read) continue;
    if (read.error() != Errc::would_block) co_return read.error();
    const Result<> waited = co_await wait(until_ms);
    if (!waited) co_return waited.error();
  }
}

// Sends until the socket takes no more. A responder that has closed its side may have answered
// before, so that is not a failure yet.
Result<> FastCgiClient::send_some() {
  while (!send_failed_) {
    if (held_back_ && connection_.output.empty()) {
      if (!was_read()) return {};
      held_back_ = false;
      encode_stream_end(FastCgiType::params, connection_.output);
    }
    const Result<bool> more = refill();
    if (!more) return more.error();
    if (!*more) return {};
    const Bytes parts[] = {connection_.output.readable()};
    const Result<std::size_t> sent = connection_.stream->try_write(parts);
    if (!sent && sent.error() == Errc::would_block) return {};
    if (!sent) {
      send_failed_ = true;
      note_reset(sent.error());
      return bytes_sent_ == 0 ? Result<>(sent.error()) : Result<>();
    }
    bytes_sent_ += *sent;
    connection_.output.consume(*sent);
    restart_patience();
  }
  return {};
}

void FastCgiClient::note_reset(Error error) noexcept {
  if (error.os_error == ECONNRESET && !connection_.address.is_unix()) was_reset_ = true;
}

// Encodes more of the body when what was encoded has left. Returns whether anything is to be sent.
// The head of a request, a small body and its end are one write.
Result<bool> FastCgiClient::refill() {
  Buffer& out = connection_.output;
  while (!held_back_ && !input_ended_ && out.size() < spool_piece_bytes / 4) {
    if (body_sent_ == body_->size()) {
      if (end_waits_) break;
      encode_stream_end(FastCgiType::stdin_data, out);
      input_ended_ = true;
      break;
    }
    const Result<Bytes> piece = body_->read(body_sent_, scratch_);
    if (!piece) return piece.error();
    encode_stream(FastCgiType::stdin_data, *piece, out);
    body_sent_ += piece->size();
  }
  return !out.empty();
}

Result<> FastCgiClient::read_some() {
  const MutableBytes room = connection_.input.prepare(read_bytes_);
  const Result<std::size_t> got = connection_.stream->try_read(room);
  if (!got) {
    note_reset(got.error());
    return got.error();
  }
  if (*got == 0) return Errc::end_of_stream;
  connection_.input.commit(*got);
  bytes_received_ += *got;
  restart_patience();
  if (*got == room.size()) read_bytes_ = std::min(read_bytes_ * 2, read_bytes_max);
  return std::exchange(end_waits_, false) ? send_some() : Result<>();
}

Task<Result<>> FastCgiClient::wait(std::int64_t until_ms) {
  connection_.input.release();
  if (connection_.output.empty()) connection_.output.release();
  if (exchange_.client_gone()) co_return Errc::cancelled;
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  const std::int64_t late_ms = progress_ms_ + patience_.count();
  if (now_ms >= late_ms) co_return Errc::timeout_response;
  if (now_ms >= until_ms) co_return Errc::would_block;
  if (now_ms - progress_ms_ >= end_waits_ms && std::exchange(end_waits_, false))
    co_return Result<>();
  const std::int64_t look_ms =
      std::min(claim_process(now_ms), held_back_ ? look_for_reader_ms : look_around_ms);
  wake_.arm(pool_.loop().timers(),
            Milliseconds(std::min({late_ms - now_ms, until_ms - now_ms, look_ms})));
  exchange_.client_watch = &ready_;
  co_await ready_;
  exchange_.client_watch = nullptr;
  wake_.disarm();
  co_return Result<>();
}

}  // namespace portero::proxy
