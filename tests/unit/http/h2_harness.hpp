// A whole HTTP/2 connection without a network: nghttp2's client on one side, serve_h2() on the
// other, a FakeStream between them, the test's own clock. turn() passes bytes to and fro until both
// sides are quiet.
// Thread: the test's.
#pragma once

#include <coroutine>
#include <cstring>
#include <deque>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <doctest/doctest.h>
#include <nghttp2/nghttp2.h>

#include "base/clock.hpp"
#include "base/run_queue.hpp"
#include "fake_stream.hpp"
#include "http/h2_connection.hpp"

namespace portero::http {

using H2TextFields = std::vector<std::pair<std::string, std::string>>;

// A stream as the client sees it.
struct H2Answer {
  int status = 0;
  std::vector<int> interim;
  H2TextFields headers;
  H2TextFields trailers;
  std::string body;
  bool ended = false;  // END_STREAM came
  bool closed = false;
  std::uint32_t reset_code = 0;  // of RST_STREAM from the server, when was_reset
  bool was_reset = false;

  std::string header(const std::string& name) const {
    for (const auto& [field, value] : headers) {
      if (field == name) return value;
    }
    return {};
  }
};

struct H2Upload {
  std::string data;
  bool end = true;
  std::size_t sent = 0;
  H2TextFields trailers = {};
};

inline std::string h2_frame(std::uint8_t type, std::uint8_t flags, std::uint32_t id,
                            const std::string& payload = {}) {
  std::string frame;
  for (const int shift : {16, 8, 0}) frame += static_cast<char>(payload.size() >> shift);
  frame += static_cast<char>(type);
  frame += static_cast<char>(flags);
  for (const int shift : {24, 16, 8, 0}) frame += static_cast<char>(id >> shift);
  return frame + payload;
}

class H2Client {
 public:
  explicit H2Client(bool auto_window = true) {
    nghttp2_session_callbacks* callbacks = nullptr;
    nghttp2_session_callbacks_new(&callbacks);
    nghttp2_session_callbacks_set_on_header_callback(callbacks, &on_header);
    nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, &on_data);
    nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, &on_frame);
    nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, &on_close);
    nghttp2_option* option = nullptr;
    nghttp2_option_new(&option);
    nghttp2_option_set_no_auto_window_update(option, auto_window ? 0 : 1);
    nghttp2_session_client_new2(&session_, callbacks, this, option);
    nghttp2_option_del(option);
    nghttp2_session_callbacks_del(callbacks);
  }
  H2Client(const H2Client&) = delete;
  H2Client& operator=(const H2Client&) = delete;
  ~H2Client() { nghttp2_session_del(session_); }

  void settings(const std::vector<nghttp2_settings_entry>& entries = {}) {
    nghttp2_submit_settings(session_, NGHTTP2_FLAG_NONE, entries.data(), entries.size());
  }

  // Sends a request; with `upload` a body follows.
  std::int32_t request(const H2TextFields& fields, H2Upload* upload = nullptr) {
    const std::vector<nghttp2_nv> nva = as_nva(fields);
    nghttp2_data_provider provider{{}, &read_upload};
    provider.source.ptr = upload;
    const std::int32_t id = nghttp2_submit_request(session_, nullptr, nva.data(), nva.size(),
                                                   upload == nullptr ? nullptr : &provider, this);
    REQUIRE(id > 0);
    return id;
  }
  std::int32_t get(const std::string& path, const H2TextFields& more = {}) {
    H2TextFields fields = head("GET", path);
    fields.insert(fields.end(), more.begin(), more.end());
    return request(fields);
  }
  std::int32_t post(const std::string& path, H2Upload& upload, const H2TextFields& more = {}) {
    H2TextFields fields = head("POST", path);
    fields.insert(fields.end(), more.begin(), more.end());
    return request(fields, &upload);
  }
  static H2TextFields head(const std::string& method, const std::string& path) {
    return {
        {":method", method}, {":scheme", "https"}, {":authority", "example.com"}, {":path", path}};
  }
  // Goes on with an upload that had no more data.
  void resume(std::int32_t id) { nghttp2_session_resume_data(session_, id); }
  void reset(std::int32_t id) {
    nghttp2_submit_rst_stream(session_, NGHTTP2_FLAG_NONE, id, NGHTTP2_CANCEL);
  }
  // Lets the server send that much more; with auto_window off nobody else does.
  void open_window(std::int32_t id, std::size_t bytes) {
    nghttp2_session_consume(session_, id, bytes);
  }

  nghttp2_session* session() noexcept { return session_; }
  H2Answer& answer(std::int32_t id) { return answers_[id]; }
  bool goaway = false;
  std::uint32_t goaway_code = 0;
  std::int32_t goaway_last_id = 0;
  std::vector<std::int32_t> goaway_ids;  // of every GOAWAY, in order
  std::map<std::uint32_t, std::uint32_t> server_settings;

  std::string take_output() {
    std::string out;
    const std::uint8_t* data = nullptr;
    for (;;) {
      const ssize_t size = nghttp2_session_mem_send(session_, &data);
      REQUIRE(size >= 0);
      if (size == 0) return out;
      out.append(reinterpret_cast<const char*>(data), static_cast<std::size_t>(size));
    }
  }
  void take_in(const std::string& bytes) {
    const ssize_t taken = nghttp2_session_mem_recv(
        session_, reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
    REQUIRE(taken == static_cast<ssize_t>(bytes.size()));
  }

 private:
  static std::vector<nghttp2_nv> as_nva(const H2TextFields& fields) {
    std::vector<nghttp2_nv> nva;
    for (const auto& [name, value] : fields) {
      nva.push_back({reinterpret_cast<std::uint8_t*>(const_cast<char*>(name.data())),
                     reinterpret_cast<std::uint8_t*>(const_cast<char*>(value.data())), name.size(),
                     value.size(), NGHTTP2_NV_FLAG_NONE});
    }
    return nva;
  }
  static H2Client& self(void* user) { return *static_cast<H2Client*>(user); }

  static int on_header(nghttp2_session*, const nghttp2_frame* frame, const std::uint8_t* name,
                       std::size_t name_size, const std::uint8_t* value, std::size_t value_size,
                       std::uint8_t, void* user) {
    H2Answer& answer = self(user).answers_[frame->hd.stream_id];
    const std::string field(reinterpret_cast<const char*>(name), name_size);
    const std::string text(reinterpret_cast<const char*>(value), value_size);
    if (field == ":status") {
      if (answer.status != 0) answer.interim.push_back(answer.status);
      answer.status = std::stoi(text);
      answer.headers.clear();
    } else if (frame->headers.cat == NGHTTP2_HCAT_HEADERS && answer.status >= 200 &&
               (!answer.body.empty() || (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0)) {
      answer.trailers.emplace_back(field, text);
    } else {
      answer.headers.emplace_back(field, text);
    }
    return 0;
  }
  static int on_data(nghttp2_session*, std::uint8_t, std::int32_t id, const std::uint8_t* data,
                     std::size_t size, void* user) {
    self(user).answers_[id].body.append(reinterpret_cast<const char*>(data), size);
    return 0;
  }
  static int on_frame(nghttp2_session*, const nghttp2_frame* frame, void* user) {
    H2Client& client = self(user);
    if (frame->hd.type == NGHTTP2_GOAWAY) {
      client.goaway = true;
      client.goaway_code = frame->goaway.error_code;
      client.goaway_last_id = frame->goaway.last_stream_id;
      client.goaway_ids.push_back(frame->goaway.last_stream_id);
    } else if (frame->hd.type == NGHTTP2_RST_STREAM) {
      client.answers_[frame->hd.stream_id].was_reset = true;
      client.answers_[frame->hd.stream_id].reset_code = frame->rst_stream.error_code;
    } else if (frame->hd.type == NGHTTP2_SETTINGS) {
      for (std::size_t i = 0; i < frame->settings.niv; ++i) {
        client.server_settings[static_cast<std::uint32_t>(frame->settings.iv[i].settings_id)] =
            frame->settings.iv[i].value;
      }
    } else if ((frame->hd.type == NGHTTP2_HEADERS || frame->hd.type == NGHTTP2_DATA) &&
               (frame->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
      client.answers_[frame->hd.stream_id].ended = true;
    }
    return 0;
  }
  static int on_close(nghttp2_session*, std::int32_t id, std::uint32_t, void* user) {
    self(user).answers_[id].closed = true;
    return 0;
  }
  static ssize_t read_upload(nghttp2_session* session, std::int32_t id, std::uint8_t* room,
                             std::size_t size, std::uint32_t* flags, nghttp2_data_source* source,
                             void*) {
    auto& upload = *static_cast<H2Upload*>(source->ptr);
    const std::size_t count = std::min(size, upload.data.size() - upload.sent);
    if (count == 0 && !upload.end) return NGHTTP2_ERR_DEFERRED;
    std::memcpy(room, upload.data.data() + upload.sent, count);
    upload.sent += count;
    if (upload.sent == upload.data.size() && upload.end) {
      *flags |= NGHTTP2_DATA_FLAG_EOF;
      if (!upload.trailers.empty()) {
        *flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
        const std::vector<nghttp2_nv> nva = as_nva(upload.trailers);
        nghttp2_submit_trailer(session, id, nva.data(), nva.size());
      }
    }
    return static_cast<ssize_t>(count);
  }

  nghttp2_session* session_ = nullptr;
  std::map<std::int32_t, H2Answer> answers_;
};

// Where any number of handlers wait; each signal lets one of them go on, in order.
class Gate {
 public:
  void signal() {
    if (waiting_.empty()) {
      open_ = true;
      return;
    }
    run_queue().push(waiting_.front());
    waiting_.pop_front();
  }
  bool await_ready() noexcept { return std::exchange(open_, false); }
  void await_suspend(std::coroutine_handle<> waiter) { waiting_.push_back(waiter); }
  void await_resume() const noexcept {}

 private:
  std::deque<std::coroutine_handle<>> waiting_;
  bool open_ = false;
};

// The code of the GOAWAY frame among whole frames, or -1.
inline int h2_goaway_code(std::string_view frames) {
  const auto byte = [&frames](std::size_t i) { return static_cast<unsigned char>(frames[i]); };
  while (frames.size() >= 9) {
    const std::size_t size = std::size_t{byte(0)} << 16 | std::size_t{byte(1)} << 8 | byte(2);
    if (byte(3) == NGHTTP2_GOAWAY) return byte(9 + 7);
    frames.remove_prefix(std::min(frames.size(), 9 + size));
  }
  return -1;
}

// Serves by path: each test says what its paths do.
class H2TestService final : public Service {
 public:
  using Serve = Task<> (*)(H2TestService& service, Exchange& exchange);

  Task<> serve(Exchange& exchange) override {
    ++served;
    ++running;
    const auto found = routes.find(std::string(exchange.request.path));
    if (found == routes.end()) {
      (void)co_await respond(exchange, 404, "no such route\n");
    } else {
      co_await found->second(*this, exchange);
    }
    --running;
  }
  bool draining() const noexcept override { return drain; }

  std::map<std::string, Serve> routes;
  int served = 0;
  int running = 0;
  bool drain = false;
  Gate gate;        // for handlers that wait for the test
  std::string log;  // for handlers that report
  std::size_t count = 0;
  Errc error = Errc::ok;
};

class H2Harness {
 public:
  explicit H2Harness(bool auto_window = true) : client(auto_window) {
    info.tls = true;
    info.peer = *IpAddress::parse("192.0.2.7");
  }
  H2Harness(const H2Harness&) = delete;
  H2Harness& operator=(const H2Harness&) = delete;
  // Whatever a case leaves open ends here: no coroutine outlives the objects it refers to.
  ~H2Harness() {
    stream.cancel(Errc::cancelled);
    for (int i = 0; i < 1000 && started && !finished; ++i) {
      service.gate.signal();
      run_queue().run();
    }
    CHECK(finished == started);
  }

  void start(const std::vector<nghttp2_settings_entry>& settings = {}) {
    client.settings(settings);
    begin();
  }
  // Starts the server side alone.
  void begin() {
    started = true;
    spawn(run());
    turn();
  }
  // Passes bytes until both sides are quiet.
  void turn() {
    for (int quiet = 0; quiet < 2;) {
      std::string sent = client_silent ? std::string() : client.take_output();
      const bool silent = sent.empty();
      if (!silent) stream.feed(std::move(sent));
      run_queue().run();
      const std::string got = stream.take_written();
      if (!got.empty() && !client_silent) client.take_in(got);
      quiet = silent && got.empty() ? quiet + 1 : 0;
    }
  }
  // The client sends bytes that nghttp2's client would not.
  void send_raw(std::string bytes) {
    const std::string before = client.take_output();
    stream.feed(before + bytes);
    run_queue().run();
  }
  void open_gate() {
    service.gate.signal();
    turn();
  }
  void pass(Milliseconds time) {
    for (std::int64_t left = time.count(); left > 0; left -= 100) {
      coarse_clock().monotonic_ms += 100;
      timers.advance();
      run_queue().run();
    }
    turn();
  }
  H2Answer& answer_to(std::int32_t id) {
    turn();
    return client.answer(id);
  }

  net::FakeStream stream;
  TimerWheel timers;
  ConnectionInfo info;
  H2TestService service;
  Timeouts timeouts;
  H2Context context{stream, timers, info, service, timeouts};
  Buffer early;
  H2Client client;
  bool client_silent = false;  // the test speaks for the client
  bool started = false;
  bool finished = false;

 private:
  Task<> run() {
    co_await serve_h2(context, early);
    finished = true;
  }
};

}  // namespace portero::http
