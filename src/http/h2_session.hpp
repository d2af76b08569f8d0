// H2Session: the protocol state of one HTTP/2 connection: nghttp2, the streams that are alive, the
// limits. Bytes go in by feed() and out by collect(); requests come out whole, by ready(). No
// socket and no waiting: H2Connection reads, writes and serves around it.
// Thread: the worker of the connection. Owner: H2Connection; streams and exchanges refer to it.
// Source: RFC 9113, RFC 8441, RFC 9218 (the priority field; nghttp2 schedules by it).
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/buffer.hpp"
#include "base/result.hpp"
#include "base/run_queue.hpp"
#include "http/h2_connection.hpp"
#include "http/h2_exchange.hpp"
#include "http/h2_guard.hpp"
#include "http/h2_stream.hpp"

namespace portero::http {

// Why a connection is ended by this side.
enum class H2Goodbye : std::uint8_t { idle, slow_head, flood, protocol };

class H2Session {
 public:
  static constexpr std::uint32_t streams_max = 100;
  // What a client may send ahead. The connection's window is opened as data comes in, so a stream
  // whose handler does not read never holds up another one; what bounds memory is the window of
  // each stream (100 × 64 kB). A stream that has used up its window gets a wide one, for the sake
  // of uploads over long distances; at most four have one at a time (4 × 192 kB more).
  static constexpr std::int32_t connection_window_bytes = 1024 * 1024;
  static constexpr std::int32_t stream_window_bytes = 64 * 1024;
  static constexpr std::int32_t wide_window_bytes = 256 * 1024;
  static constexpr std::uint32_t wide_streams_max = 4;
  // When that much waits to be written, collect() stops.
  static constexpr std::size_t output_bytes_max = 64 * 1024;

  // `output` is scheduled whenever there may be something to collect.
  H2Session(const H2Context& context, TurnEnd& output);
  H2Session(const H2Session&) = delete;
  H2Session& operator=(const H2Session&) = delete;
  ~H2Session();

  // --- for the connection
  // Takes in bytes of the client. Errors: flood, http2_protocol: nothing more is to be fed, GOAWAY
  // is there to be collected.
  Result<> feed(Bytes in);
  // Moves what is to be sent into `out`, as much as output_bytes_max allows.
  void collect(Buffer& out);
  // The requests whose heads have been completed by feed(), oldest first. The caller empties it.
  std::vector<std::unique_ptr<H2Exchange>>& ready() noexcept { return ready_; }
  // Whether anything is still to be read or written.
  bool alive() const noexcept;
  // Whether the client owes the rest of something that is short: the preface, a header block.
  bool head_pending() const noexcept { return !guard_.preface_complete() || guard_.block_open(); }
  // How many header blocks have begun: tells whether the one that is pending is a new one.
  std::uint64_t head_count() const noexcept { return guard_.block_count(); }
  std::size_t stream_count() const noexcept { return stream_count_; }

  // Announces the end: GOAWAY for streams to come far in the future, so that none that the client
  // is opening is lost; finish_drain() when the client has heard of it. Source: RFC 9113 §6.8.
  void begin_drain();
  void finish_drain();
  bool draining() const noexcept { return draining_; }
  // Ends the connection: once GOAWAY has been collected alive() is false.
  void terminate(H2Goodbye why);
  // The connection is over: every stream fails.
  void fail_streams(Errc why);

  // --- for the streams
  void add(H2Stream& stream) noexcept;
  void remove(H2Stream& stream);
  void submit_head(H2Stream& stream, H2Fields fields, bool last);
  void submit_interim(std::int32_t id, H2Fields fields);
  void submit_reset(std::int32_t id, Errc why);
  void resume_output(std::int32_t id);
  void open_stream_window(H2Stream& stream, std::size_t bytes);
  // Gives the stream a wide window. False when too many have one.
  bool widen_window(std::int32_t id);
  void give_back_wide_window() noexcept { --wide_streams_; }
  TimerWheel& timers() const noexcept { return context_.timers; }
  const Timeouts& timeouts() const noexcept { return context_.timeouts; }

 private:
  friend struct H2Callbacks;

  void submit_settings();
  H2Stream* find(std::int32_t id) const noexcept;
  // What nghttp2 calls; see h2_callbacks.cpp.
  int on_begin_headers(std::int32_t id);
  void on_field(std::int32_t id, nghttp2_rcbuf* name, nghttp2_rcbuf* value);
  void on_head_complete(std::int32_t id, bool body_follows);
  void on_data(std::int32_t id, Bytes data);
  void on_input_end(std::int32_t id) noexcept;
  void on_reset_received(std::int32_t id);
  void on_reset_sent(std::uint32_t code) noexcept;
  void on_fields_sent(std::int32_t id, bool final, bool last) noexcept;
  void on_fields_not_sent(std::int32_t id);
  void on_stream_closed(std::int32_t id);
  std::ptrdiff_t read_output(H2Stream& stream, std::size_t limit, std::uint32_t& flags);
  void write_data(H2Stream& stream, const std::uint8_t* frame_head, std::size_t size, bool last);

  const H2Context& context_;
  TurnEnd& output_;
  nghttp2_session* nghttp2_ = nullptr;
  H2Guard guard_;
  // The exchange whose head is being received: there is never more than one.
  std::unique_ptr<H2Exchange> receiving_;
  std::vector<std::unique_ptr<H2Exchange>> ready_;
  H2Stream* streams_ = nullptr;  // all that are alive, newest first
  std::size_t stream_count_ = 0;
  std::uint32_t wide_streams_ = 0;
  Buffer* collecting_ = nullptr;  // where collect() puts things; null outside of it
  bool draining_ = false;
  bool drain_finished_ = false;
  bool terminated_ = false;
  bool flood_ = false;  // found inside nghttp2, dealt with outside
};

}  // namespace portero::http
