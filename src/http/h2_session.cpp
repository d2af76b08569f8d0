#include "http/h2_session.hpp"

#include <utility>

#include "base/assert.hpp"
#include "base/clock.hpp"
#include "http/h2_callbacks.hpp"

namespace portero::http {
namespace {

std::int64_t now_ms() noexcept { return coarse_clock().monotonic_ms; }

// Out of memory ends the process; everything else is a broken invariant of ours.
void expect_ok(int result) noexcept { PORTERO_ASSERT(result == 0); }

// What a client is told about a stream that is given up. Source: RFC 9113 §7.
std::uint32_t reset_code(Errc why) noexcept {
  switch (why) {
    case Errc::ok: return NGHTTP2_NO_ERROR;
    case Errc::http2_protocol: return NGHTTP2_PROTOCOL_ERROR;
    case Errc::cancelled:
    case Errc::timeout_body:
    case Errc::timeout_write: return NGHTTP2_CANCEL;
    default: return NGHTTP2_INTERNAL_ERROR;
  }
}

std::uint32_t goaway_code(H2Goodbye why) noexcept {
  switch (why) {
    case H2Goodbye::idle: return NGHTTP2_NO_ERROR;
    case H2Goodbye::protocol: return NGHTTP2_PROTOCOL_ERROR;
    case H2Goodbye::slow_head:
    case H2Goodbye::flood: break;
  }
  return NGHTTP2_ENHANCE_YOUR_CALM;
}

// Whether the client is at fault; resets with the codes above but PROTOCOL_ERROR are our own wish.
bool is_fault_of_client(std::uint32_t code) noexcept {
  return code != NGHTTP2_NO_ERROR && code != NGHTTP2_CANCEL && code != NGHTTP2_INTERNAL_ERROR;
}

// A view that lasts as long as the arena; static strings of nghttp2 need no copy.
std::string_view keep(nghttp2_rcbuf* text, Arena& arena) {
  const nghttp2_vec bytes = nghttp2_rcbuf_get_buf(text);
  const std::string_view view(reinterpret_cast<const char*>(bytes.base), bytes.len);
  return nghttp2_rcbuf_is_static(text) != 0 ? view : arena.copy(view);
}

}  // namespace

H2Session::H2Session(const H2Context& context, TurnEnd& output)
    : context_(context), output_(output) {
  expect_ok(
      nghttp2_session_server_new3(&nghttp2_, h2_callbacks(), this, h2_options(), h2_memory()));
  submit_settings();
}

H2Session::~H2Session() {
  receiving_.reset();
  ready_.clear();
  PORTERO_ASSERT(streams_ == nullptr);
  nghttp2_session_del(nghttp2_);
}

void H2Session::submit_settings() {
  const nghttp2_settings_entry settings[] = {
      {NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, streams_max},
      {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, stream_window_bytes},
      {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, header_bytes_max},
      {NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
      // No dependency tree: it costs memory for streams that are gone, and clients have left it.
      {NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
  };
  expect_ok(nghttp2_submit_settings(nghttp2_, NGHTTP2_FLAG_NONE, settings, std::size(settings)));
  expect_ok(nghttp2_session_set_local_window_size(nghttp2_, NGHTTP2_FLAG_NONE, 0,
                                                  connection_window_bytes));
  output_.schedule();
}

// --- bytes in and out ----------------------------------------------------------------------------

Result<> H2Session::feed(Bytes in) {
  output_.schedule();
  flood_ = flood_ || !guard_.inspect(in, now_ms());
  if (!flood_) {
    const auto* const bytes = reinterpret_cast<const std::uint8_t*>(in.data());
    const ssize_t taken = nghttp2_session_mem_recv(nghttp2_, bytes, in.size());
    if (taken == NGHTTP2_ERR_FLOODED) {
      flood_ = true;
    } else if (taken < 0) {
      PORTERO_ASSERT(taken != NGHTTP2_ERR_NOMEM);
      terminate(H2Goodbye::protocol);
      return Errc::http2_protocol;
    }
  }
  if (!flood_) return {};
  terminate(H2Goodbye::flood);
  return Errc::flood;
}

void H2Session::collect(Buffer& out) {
  collecting_ = &out;
  while (out.size() < output_bytes_max) {
    const std::uint8_t* bytes = nullptr;
    const ssize_t size = nghttp2_session_mem_send(nghttp2_, &bytes);
    PORTERO_ASSERT(size >= 0);
    if (size == 0) break;
    out.append({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
  }
  collecting_ = nullptr;
  if (flood_) terminate(H2Goodbye::flood);
}

std::ptrdiff_t H2Session::read_output(H2Stream& stream, std::size_t limit, std::uint32_t& flags) {
  // nghttp2 goes from one DATA frame to the next without coming up between them.
  if (collecting_->size() >= output_bytes_max) return NGHTTP2_ERR_PAUSE;
  const std::size_t size = stream.next_size(limit);
  const bool last = stream.is_last(size);
  if (size == 0 && !last) {
    stream.deferred_ = true;
    return NGHTTP2_ERR_DEFERRED;
  }
  flags |= NGHTTP2_DATA_FLAG_NO_COPY;
  if (last) {
    flags |= NGHTTP2_DATA_FLAG_EOF;
    if (!stream.trailers_.empty()) {
      flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
      expect_ok(nghttp2_submit_trailer(nghttp2_, stream.id(), stream.trailers_.data(),
                                       stream.trailers_.size()));
    }
  }
  return static_cast<std::ptrdiff_t>(size);
}

void H2Session::write_data(H2Stream& stream, const std::uint8_t* frame_head, std::size_t size,
                           bool last) {
  constexpr std::size_t frame_head_bytes = 9;
  collecting_->append({reinterpret_cast<const char*>(frame_head), frame_head_bytes});
  stream.move_output(size, *collecting_);
  if (last) stream.on_frame_written(true);
  guard_.on_data_sent(size, last);
}

bool H2Session::alive() const noexcept {
  return nghttp2_session_want_read(nghttp2_) != 0 || nghttp2_session_want_write(nghttp2_) != 0;
}

// --- the connection's end ------------------------------------------------------------------------

void H2Session::begin_drain() {
  if (draining_) return;
  draining_ = true;
  expect_ok(nghttp2_submit_shutdown_notice(nghttp2_));
  expect_ok(nghttp2_submit_ping(nghttp2_, NGHTTP2_FLAG_NONE, nullptr));
  output_.schedule();
}

void H2Session::finish_drain() {
  if (!draining_ || drain_finished_) return;
  drain_finished_ = true;
  const std::int32_t last_id = nghttp2_session_get_last_proc_stream_id(nghttp2_);
  expect_ok(
      nghttp2_submit_goaway(nghttp2_, NGHTTP2_FLAG_NONE, last_id, NGHTTP2_NO_ERROR, nullptr, 0));
  output_.schedule();
}

void H2Session::terminate(H2Goodbye why) {
  if (terminated_) return;
  terminated_ = true;
  expect_ok(nghttp2_session_terminate_session(nghttp2_, goaway_code(why)));
  output_.schedule();
}

void H2Session::fail_streams(Errc why) {
  for (H2Stream* stream = streams_; stream != nullptr; stream = stream->next_) stream->fail(why);
}

// --- what happens to streams ---------------------------------------------------------------------

H2Stream* H2Session::find(std::int32_t id) const noexcept {
  return static_cast<H2Stream*>(nghttp2_session_get_stream_user_data(nghttp2_, id));
}

// Streams that the client has cancelled count until their work has ended: it is the work that is
// limited, not what nghttp2 knows of it. Source: CVE-2023-44487.
int H2Session::on_begin_headers(std::int32_t id) {
  receiving_.reset();
  if (stream_count_ >= streams_max) {
    expect_ok(nghttp2_submit_rst_stream(nghttp2_, NGHTTP2_FLAG_NONE, id, NGHTTP2_REFUSED_STREAM));
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }
  receiving_ = std::make_unique<H2Exchange>(std::make_unique<H2Stream>(*this, id), context_);
  expect_ok(nghttp2_session_set_stream_user_data(nghttp2_, id, &receiving_->stream()));
  return 0;
}

void H2Session::on_field(std::int32_t id, nghttp2_rcbuf* name, nghttp2_rcbuf* value) {
  H2Stream* const stream = find(id);
  H2Exchange* const exchange = stream == nullptr ? nullptr : stream->exchange();
  if (exchange == nullptr) return;  // trailers of a request that has been answered
  H2RequestReader& reader = exchange->reader();
  const std::size_t name_bytes = nghttp2_rcbuf_get_buf(name).len;
  const std::size_t value_bytes = nghttp2_rcbuf_get_buf(value).len;
  switch (reader.admit(name_bytes, value_bytes)) {
    case H2RequestReader::Admission::drop: return;
    case H2RequestReader::Admission::flood: flood_ = true; return;
    case H2RequestReader::Admission::keep: break;
  }
  const std::string_view kept_name = keep(name, exchange->arena);
  const std::string_view kept_value = keep(value, exchange->arena);
  if (receiving_.get() == exchange) {
    reader.add(kept_name, kept_value);
  } else {
    reader.add_trailer(kept_name, kept_value);
  }
}

void H2Session::on_head_complete(std::int32_t id, bool body_follows) {
  PORTERO_ASSERT(receiving_ && receiving_->stream().id() == id);
  std::unique_ptr<H2Exchange> exchange = std::move(receiving_);
  if (!body_follows) exchange->stream().on_end();
  if (exchange->begin(body_follows)) {
    ready_.push_back(std::move(exchange));
  } else {
    exchange->stream().reset(Errc::http2_protocol);
  }
}

void H2Session::on_data(std::int32_t id, Bytes data) {
  // Counted as consumed at once, whoever reads it and when: see connection_window_bytes.
  expect_ok(nghttp2_session_consume_connection(nghttp2_, data.size()));
  H2Stream* const stream = find(id);
  if (stream != nullptr) stream->on_data(data);
}

void H2Session::on_input_end(std::int32_t id) noexcept {
  H2Stream* const stream = find(id);
  if (stream != nullptr) stream->on_end();
}

void H2Session::on_reset_received(std::int32_t id) {
  H2Stream* const stream = find(id);
  if (stream != nullptr) stream->fail(Errc::stream_reset);
}

void H2Session::on_reset_sent(std::uint32_t code) noexcept {
  if (is_fault_of_client(code) && !guard_.on_reset_sent(now_ms())) flood_ = true;
}

void H2Session::on_fields_sent(std::int32_t id, bool final, bool last) noexcept {
  if (last) guard_.on_data_sent(0, true);
  H2Stream* const stream = find(id);
  if (stream != nullptr && final) stream->on_frame_written(last);
}

// The head is larger than nghttp2 sends (64 kB), or the stream is over.
void H2Session::on_fields_not_sent(std::int32_t id) {
  H2Stream* const stream = find(id);
  if (stream != nullptr) stream->reset(Errc::internal);
}

void H2Session::on_stream_closed(std::int32_t id) {
  H2Stream* const stream = find(id);
  if (stream == nullptr) return;
  stream->on_closed();
  if (receiving_ && &receiving_->stream() == stream) receiving_.reset();
}

// --- what streams want ---------------------------------------------------------------------------

void H2Session::add(H2Stream& stream) noexcept {
  stream.next_ = streams_;
  if (streams_ != nullptr) streams_->previous_ = &stream;
  streams_ = &stream;
  ++stream_count_;
}

// What is still open is reset: a client that is sending a body that nobody wants is told to stop
// (RFC 9113 §8.1), and nghttp2 does not look at the fields of a stream that is being reset, which
// die with the exchange.
void H2Session::remove(H2Stream& stream) {
  (stream.previous_ == nullptr ? streams_ : stream.previous_->next_) = stream.next_;
  if (stream.next_ != nullptr) stream.next_->previous_ = stream.previous_;
  --stream_count_;
  if (stream.closed_) return;
  expect_ok(nghttp2_session_set_stream_user_data(nghttp2_, stream.id(), nullptr));
  const bool complete = stream.end_done_;
  const Errc why = complete || stream.failure() != Errc::ok ? stream.failure() : Errc::cancelled;
  submit_reset(stream.id(), why);
}

void H2Session::submit_head(H2Stream& stream, H2Fields fields, bool last) {
  nghttp2_data_provider body{{}, h2_read_callback()};
  body.source.ptr = &stream;
  expect_ok(nghttp2_submit_response(nghttp2_, stream.id(), fields.data(), fields.size(),
                                    last ? nullptr : &body));
  output_.schedule();
}

void H2Session::submit_interim(std::int32_t id, H2Fields fields) {
  expect_ok(nghttp2_submit_headers(nghttp2_, NGHTTP2_FLAG_NONE, id, nullptr, fields.data(),
                                   fields.size(), nullptr));
  output_.schedule();
}

void H2Session::submit_reset(std::int32_t id, Errc why) {
  expect_ok(nghttp2_submit_rst_stream(nghttp2_, NGHTTP2_FLAG_NONE, id, reset_code(why)));
  output_.schedule();
}

void H2Session::resume_output(std::int32_t id) {
  // Fails for a stream that is about to be reset: nothing of it is to be sent any more.
  (void)nghttp2_session_resume_data(nghttp2_, id);
  output_.schedule();
}

void H2Session::open_stream_window(H2Stream& stream, std::size_t bytes) {
  expect_ok(nghttp2_session_consume_stream(nghttp2_, stream.id(), bytes));
  output_.schedule();
}

bool H2Session::widen_window(std::int32_t id) {
  if (wide_streams_ >= wide_streams_max) return false;
  ++wide_streams_;
  expect_ok(
      nghttp2_session_set_local_window_size(nghttp2_, NGHTTP2_FLAG_NONE, id, wide_window_bytes));
  output_.schedule();
  return true;
}

}  // namespace portero::http
