#include "http/h2_stream.hpp"

#include <algorithm>
#include <cstring>

#include "base/assert.hpp"
#include "http/h2_session.hpp"
#include "http/h2_stream_bytes.hpp"

namespace portero::http {
namespace {

// Less than this in the time allowed for a write is no progress: a client that opens its window by
// a byte now and then does not keep a response alive.
constexpr std::size_t progress_bytes_min = 1024;

}  // namespace

H2Stream::H2Stream(H2Session& session, std::int32_t id) noexcept
    : session_(session), id_(id), write_timer_(&on_write_timeout, this) {
  session_.add(*this);
}

H2Stream::~H2Stream() {
  if (wide_) session_.give_back_wide_window();
  session_.remove(*this);
}

Result<Bytes> H2Stream::take_input() {
  consume_input(taken_.size());
  taken_.clear();
  if (failure_ != Errc::ok) return failure_;
  if (input_.empty()) {
    taken_.release();
    if (input_ended_) return Bytes();
    return Errc::would_block;
  }
  std::swap(input_, taken_);
  return taken_.readable();
}

Result<std::size_t> H2Stream::read(MutableBytes into) {
  if (failure_ != Errc::ok) return failure_;
  if (input_.empty()) {
    if (input_ended_) return std::size_t{0};
    return Errc::would_block;
  }
  const std::size_t size = std::min(into.size(), input_.size());
  std::memcpy(into.data(), input_.readable().data(), size);
  input_.consume(size);
  input_.release();
  consume_input(size);
  return size;
}

void H2Stream::consume_input(std::size_t size) {
  if (size == 0 || closed_ || input_ended_) return;
  session_.open_stream_window(*this, size);
}

void H2Stream::send_interim(H2Fields fields) {
  if (failure_ == Errc::ok) session_.submit_interim(id_, fields);
}

void H2Stream::send_head(H2Fields fields, bool last) {
  if (failure_ != Errc::ok) return;
  output_ended_ = last;
  session_.submit_head(*this, fields, last);
}

void H2Stream::send_copy(Bytes piece) {
  PORTERO_ASSERT(!output_ended_ && lent_.empty());
  output_.append(piece);
  wake_sender();
}

void H2Stream::lend(Bytes piece) {
  PORTERO_ASSERT(!output_ended_ && lent_.empty());
  lent_ = piece;
  wake_sender();
}

void H2Stream::end_output(H2Fields trailers) {
  if (output_ended_) return;
  output_ended_ = true;
  trailers_ = trailers;
  wake_sender();
}

void H2Stream::wake_sender() {
  if (!deferred_ || closed_) return;
  deferred_ = false;
  session_.resume_output(id_);
}

std::size_t H2Stream::next_size(std::size_t limit) const noexcept {
  return std::min(limit, output_size());
}

void H2Stream::move_output(std::size_t size, Buffer& out) {
  const std::size_t copied = std::min(size, output_.size());
  out.append(output_.readable().substr(0, copied));
  output_.consume(copied);
  output_.release();
  out.append(lent_.substr(0, size - copied));
  lent_.remove_prefix(size - copied);
  written_since_watch_ += size;
  if (write_timer_.armed() && written_since_watch_ >= progress_bytes_min) watch_output();
  signal_writable();
}

void H2Stream::reset(Errc why) {
  PORTERO_ASSERT(why != Errc::ok);
  if (failure_ != Errc::ok) return;
  fail(why);
  if (!closed_) session_.submit_reset(id_, why);
}

void H2Stream::fail(Errc why) {
  if (failure_ != Errc::ok) return;
  failure_ = why;
  lent_ = {};
  output_.clear();
  output_.release();
  signal_readable();
  signal_writable();
  if (exchange_ != nullptr && exchange_->client_watch != nullptr) exchange_->client_watch->signal();
}

void H2Stream::watch_output() {
  written_since_watch_ = 0;
  const Timeouts& timeouts = exchange_ == nullptr ? session_.timeouts() : exchange_->timeouts;
  write_timer_.arm(session_.timers(), timeouts.write);
}

void H2Stream::on_write_timeout(void* self) {
  static_cast<H2Stream*>(self)->reset(Errc::timeout_write);
}

void H2Stream::on_data(Bytes data) {
  if (failure_ != Errc::ok) return;
  input_total_ += data.size();
  input_.append(data);
  if (!wide_ && input_total_ > H2Session::stream_window_bytes) wide_ = session_.widen_window(id_);
  signal_readable();
}

void H2Stream::on_end() noexcept {
  input_ended_ = true;
  signal_readable();
}

void H2Stream::on_frame_written(bool last) noexcept {
  head_done_ = true;
  end_done_ |= last;
  signal_writable();
}

void H2Stream::on_closed() noexcept {
  closed_ = true;
  // What nghttp2 itself resets is a violation of the client's: the body is not as long as it said,
  // a window overflows.
  if (!end_done_ || !input_ended_) fail(Errc::bad_framing);
  signal_readable();
  signal_writable();
}

void H2Stream::signal_readable() noexcept {
  (bytes_ == nullptr ? readable_ : bytes_->readable()).signal();
}

void H2Stream::signal_writable() noexcept {
  (bytes_ == nullptr ? writable_ : bytes_->writable()).signal();
}

}  // namespace portero::http
