// H1Client: one request over an HTTP/1.1 connection to an upstream, on the level of bytes: it
// encodes and writes the request, and reads on when the answer's parser has used up its input.
// Two coroutines may use it at a time: one writes (the upload of a body), one reads.
// Thread: the worker's. Owner: the ProxyCall; the connection and the exchange outlive it.
#pragma once

#include "http/exchange.hpp"
#include "http/h1_codec.hpp"
#include "proxy/upstream_pool.hpp"

namespace portero::proxy {

class H1Client {
 public:
  // `patience`: how long a write, or the answer once it is awaited, may make no progress.
  H1Client(UpstreamConnection& connection, http::Exchange& exchange, TimerWheel& timers,
           Milliseconds patience) noexcept;
  H1Client(const H1Client&) = delete;
  H1Client& operator=(const H1Client&) = delete;
  ~H1Client() { exchange_.client_watch = nullptr; }

  // --- writing ---

  // Encodes the head; it leaves with the next flush() or send_body().
  void begin(const http::H1RequestHead& head);
  // While gathering, small pieces wait beside the head for one write.
  void set_gathering(bool on) noexcept { gathering_ = on; }
  // Sends a piece of the body, as framed in begin(). Errors: timeout_response (no progress), as
  // ByteStream::try_write.
  Task<Result<>> send_body(Bytes piece);
  // Ends a chunked body. Errors: as send_body.
  Task<Result<>> end_body(std::span<const http::Field> trailers);
  // Sends what is encoded. Errors: as send_body.
  Task<Result<>> flush();
  // Whether any byte has left: if not, the request may be tried elsewhere whatever it is.
  bool anything_sent() const noexcept { return bytes_sent_ != 0; }

  // --- reading ---

  // From now on the upstream has this long to send something; zero: as long as it likes.
  void expect_within(Milliseconds delay) noexcept;
  // Starts that time again with the full patience, if it is running.
  void restart_patience() noexcept;
  // Reads at least one byte into connection.input. Errors: would_block when nothing is there.
  //   Otherwise as fill().
  Result<> try_fill();
  // Reads at least one byte, waiting for it; an empty input holds no storage meanwhile.
  // Errors: timeout_response, cancelled (the client has gone), end_of_stream (also the orderly
  //   end), as ByteStream::try_read.
  Task<Result<>> fill();
  // Waits until reading is worth another try. Errors: timeout_response, cancelled.
  Task<Result<>> wait();

 private:
  Task<Result<>> write(Bytes body, Bytes tail);
  Task<Result<>> write_slowly(Bytes body, Bytes tail);
  Result<> try_write(Bytes& body, Bytes& tail);
  Result<> check_patience() const noexcept;
  void arm_wake() noexcept;

  UpstreamConnection& connection_;
  http::Exchange& exchange_;
  TimerWheel& timers_;
  const Milliseconds patience_;

  bool chunked_ = false;
  bool gathering_ = false;
  bool writing_ = false;
  WaitPoint write_free_;
  net::Deadline write_deadline_;
  std::uint64_t bytes_sent_ = 0;

  std::int64_t answer_due_ms_ = 0;  // 0 = not awaited
  std::size_t read_bytes_;
  Timer wake_;  // lets the reader look at the clock and at the client
};

}  // namespace portero::proxy
