#include "http/h2_callbacks.hpp"

#include "base/assert.hpp"
#include "http/h2_session.hpp"

namespace portero::http {

// Each function only finds the session and tells it; the private side of H2Session does the work.
struct H2Callbacks {
  static H2Session& session_of(void* user) noexcept { return *static_cast<H2Session*>(user); }

  // The first field of a response is its :status.
  static bool is_interim(const nghttp2_headers& headers) noexcept {
    return headers.nvlen > 0 && headers.nva[0].namelen == 7 && headers.nva[0].value[0] == '1' &&
           headers.nva[0].name[0] == ':';
  }

  static int on_begin_headers(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    const bool opens_stream = frame->headers.cat == NGHTTP2_HCAT_REQUEST;
    return opens_stream ? session_of(user).on_begin_headers(frame->hd.stream_id) : 0;
  }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, nghttp2_rcbuf* name,
                       nghttp2_rcbuf* value, std::uint8_t /*flags*/, void* user) {
    session_of(user).on_field(frame->hd.stream_id, name, value);
    return 0;
  }

  // nghttp2 would only leave such a field out.
  static int on_invalid_header(nghttp2_session*, const nghttp2_frame*, nghttp2_rcbuf*,
                               nghttp2_rcbuf*, std::uint8_t /*flags*/, void*) {
    return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
  }

  static int on_frame_recv(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Session& session = session_of(user);
    const bool ends_stream = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    switch (frame->hd.type) {
      case NGHTTP2_HEADERS:
        if (frame->headers.cat == NGHTTP2_HCAT_REQUEST) {
          session.on_head_complete(frame->hd.stream_id, !ends_stream);
        } else if (ends_stream) {
          session.on_input_end(frame->hd.stream_id);
        }
        break;
      case NGHTTP2_DATA:
        if (ends_stream) session.on_input_end(frame->hd.stream_id);
        break;
      case NGHTTP2_RST_STREAM: session.on_reset_received(frame->hd.stream_id); break;
      case NGHTTP2_PING:
        if ((frame->hd.flags & NGHTTP2_FLAG_ACK) != 0) session.finish_drain();
        break;
      default: break;
    }
    return 0;
  }

  static int on_data_chunk(nghttp2_session*, std::uint8_t /*flags*/, std::int32_t id,
                           const std::uint8_t* data, std::size_t size, void* user) {
    session_of(user).on_data(id, {reinterpret_cast<const char*>(data), size});
    return 0;
  }

  static int on_frame_send(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Session& session = session_of(user);
    if (frame->hd.type == NGHTTP2_HEADERS) {
      session.on_fields_sent(frame->hd.stream_id, !is_interim(frame->headers),
                             (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
      session.on_reset_sent(frame->rst_stream.error_code);
    }
    return 0;
  }

  static int on_frame_not_send(nghttp2_session*, const nghttp2_frame* frame, int /*why*/,
                               void* user) {
    if (frame->hd.type == NGHTTP2_HEADERS) session_of(user).on_fields_not_sent(frame->hd.stream_id);
    return 0;
  }

  static int on_stream_close(nghttp2_session*, std::int32_t id, std::uint32_t /*code*/,
                             void* user) {
    session_of(user).on_stream_closed(id);
    return 0;
  }

  static ssize_t read_output(nghttp2_session*, std::int32_t /*id*/, std::uint8_t* /*room*/,
                             std::size_t limit, std::uint32_t* flags, nghttp2_data_source* source,
                             void* user) {
    return session_of(user).read_output(*static_cast<H2Stream*>(source->ptr), limit, *flags);
  }

  static int send_data(nghttp2_session*, nghttp2_frame* frame, const std::uint8_t* frame_head,
                       std::size_t size, nghttp2_data_source* source, void* user) {
    const bool last = (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0;
    session_of(user).write_data(*static_cast<H2Stream*>(source->ptr), frame_head, size, last);
    return 0;
  }
};

const nghttp2_session_callbacks* h2_callbacks() {
  static const nghttp2_session_callbacks* const callbacks = [] {
    nghttp2_session_callbacks* made = nullptr;
    PORTERO_ASSERT(nghttp2_session_callbacks_new(&made) == 0);
    nghttp2_session_callbacks_set_on_begin_headers_callback(made, &H2Callbacks::on_begin_headers);
    nghttp2_session_callbacks_set_on_header_callback2(made, &H2Callbacks::on_header);
    nghttp2_session_callbacks_set_on_invalid_header_callback2(made,
                                                              &H2Callbacks::on_invalid_header);
    nghttp2_session_callbacks_set_on_frame_recv_callback(made, &H2Callbacks::on_frame_recv);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, &H2Callbacks::on_data_chunk);
    nghttp2_session_callbacks_set_on_frame_send_callback(made, &H2Callbacks::on_frame_send);
    nghttp2_session_callbacks_set_on_frame_not_send_callback(made, &H2Callbacks::on_frame_not_send);
    nghttp2_session_callbacks_set_on_stream_close_callback(made, &H2Callbacks::on_stream_close);
    nghttp2_session_callbacks_set_send_data_callback(made, &H2Callbacks::send_data);
    return made;
  }();
  return callbacks;
}

const nghttp2_option* h2_options() {
  static const nghttp2_option* const options = [] {
    nghttp2_option* made = nullptr;
    PORTERO_ASSERT(nghttp2_option_new(&made) == 0);
    nghttp2_option_set_no_auto_window_update(made, 1);
    nghttp2_option_set_no_closed_streams(made, 1);
    return made;
  }();
  return options;
}

nghttp2_data_source_read_callback h2_read_callback() noexcept { return &H2Callbacks::read_output; }

}  // namespace portero::http
