#include "http/h2_client.hpp"

#include <algorithm>

#include <nghttp2/nghttp2.h>

#include "base/assert.hpp"
#include "base/bytes.hpp"

namespace portero::http {
namespace {

constexpr std::size_t read_bytes = 16 * 1024;
constexpr std::size_t output_bytes_max = 64 * 1024;
constexpr std::size_t upload_bytes_max = 64 * 1024;
constexpr std::int32_t connection_window_bytes = 8 * 1024 * 1024;
constexpr std::size_t answer_fields_max = 200;

void expect_ok(int result) noexcept { PORTERO_ASSERT(result == 0); }

nghttp2_nv field_of(std::string_view name, std::string_view value) {
  return {reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
          reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
          value.size(), NGHTTP2_NV_FLAG_NONE};
}

}  // namespace

struct H2ClientCallbacks {
  static H2ClientConnection& connection_of(void* user) {
    return *static_cast<H2ClientConnection*>(user);
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name_data,
                       std::size_t name_size, const std::uint8_t* value_data,
                       std::size_t value_size, std::uint8_t /*flags*/, void* user) {
    H2ClientStream* const stream = connection_of(user).find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    const std::string_view name(reinterpret_cast<const char*>(name_data), name_size);
    const std::string_view value(reinterpret_cast<const char*>(value_data), value_size);
    constexpr std::size_t overhead = 32;  // RFC 9113 §6.5.2
    stream->head_bytes_ += name.size() + value.size() + overhead;
    if (stream->head_bytes_ > H2ClientConnection::answer_head_bytes_max ||
        stream->head_.headers.size() >= answer_fields_max) {
      stream->fail(Errc::bad_upstream_response, false);
      return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
    }
    if (name == ":status") {
      stream->head_.status = static_cast<int>(parse_decimal(value).value_or(0));
      return 0;
    }
    if (name.starts_with(':')) return 0;
    HeaderList& fields = stream->final_head_ ? stream->head_.trailers : stream->head_.headers;
    fields.add(stream->arena_.copy(name), stream->arena_.copy(value));
    return 0;
  }

  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2ClientConnection& connection = connection_of(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      connection.going_away_ = true;
      for (H2ClientStream* const stream : connection.streams_) {
        if (stream->id_ > frame->goaway.last_stream_id) stream->fail(Errc::stream_reset, true);
      }
      return 0;
    }
    H2ClientStream* const stream = connection.find(frame->hd.stream_id);
    if (stream == nullptr) return 0;
    if (frame->hd.type == NGHTTP2_RST_STREAM) {
      stream->fail(Errc::stream_reset, frame->rst_stream.error_code == NGHTTP2_REFUSED_STREAM);
      return 0;
    }
    if (frame->hd.type == NGHTTP2_HEADERS && !stream->final_head_) {
      stream->head_complete_ = true;
      stream->final_head_ = stream->head_.status >= 200;
    }
    const bool has_end = frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA;
    if (has_end && (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) stream->ended_ = true;
    stream->news_.signal();
    return 0;
  }

  static int on_data(nghttp2_session* session, std::uint8_t /*flags*/, std::int32_t id,
                     const std::uint8_t* data, std::size_t size, void* user) {
    // The connection's window is opened at once: what bounds memory is each stream's.
    nghttp2_session_consume_connection(session, size);
    H2ClientStream* const stream = connection_of(user).find(id);
    if (stream == nullptr) return 0;
    stream->body_.append({reinterpret_cast<const char*>(data), size});
    stream->news_.signal();
    return 0;
  }

  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t code, void* user) {
    H2ClientStream* const stream = connection_of(user).find(id);
    if (stream == nullptr) return 0;
    stream->closed_ = true;
    if (!stream->ended_) {
      stream->fail(
          code == NGHTTP2_PROTOCOL_ERROR ? Errc::bad_upstream_response : Errc::stream_reset,
          code == NGHTTP2_REFUSED_STREAM);
    }
    return 0;
  }

  static ssize_t read_upload(nghttp2_session*, std::int32_t /*id*/, std::uint8_t* room,
                             std::size_t limit, std::uint32_t* flags, nghttp2_data_source* source,
                             void* /*user*/) {
    auto& stream = *static_cast<H2ClientStream*>(source->ptr);
    const Bytes waiting = stream.upload_.readable();
    const std::size_t size = std::min(limit, waiting.size());
    if (size == 0 && !stream.upload_complete_) {
      stream.upload_waits_ = true;
      return NGHTTP2_ERR_DEFERRED;
    }
    std::copy_n(waiting.data(), size, reinterpret_cast<char*>(room));
    stream.upload_.consume(size);
    if (stream.upload_complete_ && stream.upload_.empty()) *flags |= NGHTTP2_DATA_FLAG_EOF;
    stream.upload_room_.signal();
    return static_cast<ssize_t>(size);
  }

  static nghttp2_session* make_session(H2ClientConnection& connection) {
    static const nghttp2_session_callbacks* const callbacks = [] {
      nghttp2_session_callbacks* made = nullptr;
      expect_ok(nghttp2_session_callbacks_new(&made));
      nghttp2_session_callbacks_set_on_header_callback(made, &on_header);
      nghttp2_session_callbacks_set_on_frame_recv_callback(made, &on_frame);
      nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, &on_data);
      nghttp2_session_callbacks_set_on_stream_close_callback(made, &on_close);
      return made;
    }();
    static const nghttp2_option* const options = [] {
      nghttp2_option* made = nullptr;
      expect_ok(nghttp2_option_new(&made));
      nghttp2_option_set_no_auto_window_update(made, 1);
      return made;
    }();
    nghttp2_session* session = nullptr;
    expect_ok(nghttp2_session_client_new2(&session, callbacks, &connection, options));
    const nghttp2_settings_entry settings[] = {
        {NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
        {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, H2ClientConnection::stream_window_bytes},
        {NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, H2ClientConnection::answer_head_bytes_max},
    };
    expect_ok(nghttp2_submit_settings(session, NGHTTP2_FLAG_NONE, settings, std::size(settings)));
    expect_ok(nghttp2_session_set_local_window_size(session, NGHTTP2_FLAG_NONE, 0,
                                                    connection_window_bytes));
    return session;
  }
};

// --- the connection ------------------------------------------------------------------------------

H2ClientPointer H2ClientConnection::start(std::unique_ptr<net::ByteStream> stream) {
  H2ClientPointer made(new H2ClientConnection(std::move(stream)));
  spawn(run_reader(made));
  spawn(run_writer(made));
  return made;
}

H2ClientConnection::H2ClientConnection(std::unique_ptr<net::ByteStream> stream)
    : stream_(std::move(stream)), session_(H2ClientCallbacks::make_session(*this)) {}

H2ClientConnection::~H2ClientConnection() {
  PORTERO_ASSERT(streams_.empty());
  nghttp2_session_del(session_);
}

bool H2ClientConnection::has_room() const noexcept {
  if (!is_alive() || going_away_) return false;
  const std::uint32_t allowed =
      nghttp2_session_get_remote_settings(session_, NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS);
  constexpr std::uint32_t own_limit = 100;
  return streams_.size() < std::min(allowed, own_limit) &&
         nghttp2_session_check_request_allowed(session_) != 0;
}

H2ClientStream* H2ClientConnection::find(std::int32_t id) const noexcept {
  const auto found = std::find_if(streams_.begin(), streams_.end(),
                                  [id](const H2ClientStream* one) { return one->id_ == id; });
  return found == streams_.end() ? nullptr : *found;
}

void H2ClientConnection::close(Errc why) noexcept { fail(why); }

void H2ClientConnection::fail(Errc why) noexcept {
  if (failure_ != Errc::ok) return;
  failure_ = why;
  for (H2ClientStream* const stream : streams_) stream->fail(Errc::connection_reset, false);
  stream_->cancel(why);
  output_.signal();
}

Task<> H2ClientConnection::run_reader(H2ClientPointer self) {
  Buffer input;
  while (self->is_alive()) {
    const Result<std::size_t> got =
        co_await net::read_some(*self->stream_, input.prepare(read_bytes));
    if (!got || *got == 0) {
      self->fail(got ? Errc::end_of_stream : got.error().code);
      break;
    }
    input.commit(*got);
    const Bytes bytes = input.readable();
    const ssize_t taken = nghttp2_session_mem_recv(
        self->session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    input.consume(bytes.size());
    if (taken < 0) {
      self->fail(Errc::bad_upstream_response);
      break;
    }
    self->wake_writer();
    const bool is_over = nghttp2_session_want_read(self->session_) == 0 &&
                         nghttp2_session_want_write(self->session_) == 0;
    if (is_over) self->fail(Errc::end_of_stream);
  }
}

Task<> H2ClientConnection::run_writer(H2ClientPointer self) {
  Buffer output;
  while (self->is_alive()) {
    while (output.size() < output_bytes_max) {
      const std::uint8_t* bytes = nullptr;
      const ssize_t size = nghttp2_session_mem_send(self->session_, &bytes);
      PORTERO_ASSERT(size >= 0);
      if (size == 0) break;
      output.append({reinterpret_cast<const char*>(bytes), static_cast<std::size_t>(size)});
    }
    if (output.empty()) {
      co_await self->output_;
      continue;
    }
    const Result<> sent = co_await net::write_all(*self->stream_, output.readable());
    output.consume(output.size());
    if (!sent) self->fail(sent.error().code);
  }
}

// --- a stream ------------------------------------------------------------------------------------

H2ClientStream::H2ClientStream(H2ClientPointer connection, Arena& arena)
    : connection_(std::move(connection)), arena_(arena), head_(arena) {
  connection_->streams_.push_back(this);
}

H2ClientStream::~H2ClientStream() {
  std::erase(connection_->streams_, this);
  if (id_ == 0 || closed_ || !connection_->is_alive()) return;
  nghttp2_submit_rst_stream(connection_->session_, NGHTTP2_FLAG_NONE, id_, NGHTTP2_CANCEL);
  connection_->wake_writer();
}

Result<> H2ClientStream::open(const H2ClientRequest& request) {
  if (!connection_->is_alive()) return Errc::connection_reset;
  std::vector<nghttp2_nv> fields = {
      field_of(":method", request.method), field_of(":scheme", request.scheme),
      field_of(":authority", request.authority), field_of(":path", request.path)};
  std::vector<std::string> names;
  names.reserve(request.fields.size());
  for (const Field& field : request.fields) {
    names.push_back(to_lower(field.name));
    fields.push_back(field_of(names.back(), field.value));
  }
  nghttp2_data_provider body{};
  body.source.ptr = this;
  body.read_callback = &H2ClientCallbacks::read_upload;
  const std::int32_t id =
      nghttp2_submit_request(connection_->session_, nullptr, fields.data(), fields.size(),
                             request.has_body ? &body : nullptr, nullptr);
  if (id < 0) return Errc::connection_reset;
  id_ = id;
  connection_->wake_writer();
  return {};
}

Task<Result<>> H2ClientStream::send_body(Bytes piece, bool last) {
  while (upload_.size() >= upload_bytes_max && failure_ == Errc::ok && !ended_) {
    co_await upload_room_;
  }
  if (failure_ != Errc::ok) co_return failure_;
  if (ended_) co_return Errc::stream_reset;
  upload_.append(piece);
  upload_complete_ = last;
  if (std::exchange(upload_waits_, false)) {
    nghttp2_session_resume_data(connection_->session_, id_);
  }
  connection_->wake_writer();
  co_return Result<>();
}

void H2ClientStream::take_interim() noexcept {
  head_.headers.clear();
  head_.status = 0;
  head_complete_ = false;
}

void H2ClientStream::release(std::size_t count) {
  if (!connection_->is_alive() || closed_) return;
  nghttp2_session_consume_stream(connection_->session_, id_, count);
  connection_->wake_writer();
}

void H2ClientStream::fail(Errc why, bool refused) noexcept {
  if (failure_ != Errc::ok || ended_) return;
  failure_ = why;
  refused_ = refused;
  news_.signal();
  upload_room_.signal();
}

}  // namespace portero::http
