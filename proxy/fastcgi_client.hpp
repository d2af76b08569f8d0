// FastCgiClient: one request over a connection to a FastCGI responder, on the level of records. One
// coroutine drives both directions: whenever it reads it also sends what the socket takes, so a
// script that answers before it has read its input blocks nobody.
// Thread: the worker's. Owner: the PhpCall; connection, body and exchange outlive it.
#pragma once

#include "http/exchange.hpp"
#include "proxy/fastcgi_codec.hpp"
#include "proxy/spool.hpp"
#include "proxy/upstream_pool.hpp"

namespace portero::proxy {

class FastCgiClient final : private net::IoWatch {
 public:
  // `patience`: how long neither side may make progress.
  FastCgiClient(UpstreamConnection& connection, http::Exchange& exchange, UpstreamPool& pool,
                Milliseconds patience) noexcept;
  FastCgiClient(const FastCgiClient&) = delete;
  FastCgiClient& operator=(const FastCgiClient&) = delete;
  ~FastCgiClient();

  // Encodes the request; it leaves with the first next(). With `hold_back` a request that nobody
  // has read can be told, to be made again whatever its method. Over a unix socket the script
  // cannot start before the responder has read what came first, for one more write. Over TCP the
  // end of the body waits for the answer, so that a responder that has read all that PHP reads
  // before it runs a script leaves nothing unread: what resets the connection then, has never taken
  // it up.
  void begin(Bytes params, const BodySpool& body, bool hold_back);
  // No script has started yet. Over TCP that is sure if the responder has not been killed: PHP that
  // does not read a body (enable_post_data_reading, post_max_size) leaves something unread then.
  bool is_held_back() const noexcept { return held_back_ || (end_waits_ && was_reset_); }
  // Whether the connection was reset over TCP.
  bool was_reset() const noexcept { return was_reset_; }
  // The next piece of the answer, if one has been read already. Errors: bad_upstream_response.
  Result<std::optional<FastCgiPiece>> buffered() noexcept {
    return decoder_.next(connection_.input);
  }
  // The next piece of the answer. Errors: would_block, when `wait_ms_max` have passed without one
  //   (-1: no such limit); timeout_response, cancelled (the client has gone, or stop()),
  //   end_of_stream (also the orderly end), bad_upstream_response, internal (the spool cannot be
  //   read), as ByteStream::try_read.
  Task<Result<FastCgiPiece>> next(std::int64_t wait_ms_max = -1);
  // Ends a next() that waits, with `cancelled`.
  void stop() noexcept;
  // The time in which nothing was asked does not count against the responder.
  void restart_patience() noexcept { progress_ms_ = coarse_clock().monotonic_ms; }

  bool anything_sent() const noexcept { return bytes_sent_ != 0; }
  bool anything_received() const noexcept { return bytes_received_ != 0; }
  // After the end of the answer: whether all was sent and nothing follows, so that the connection
  // may serve again.
  bool finish() noexcept;

 private:
  void on_ready(std::uint32_t epoll_events) noexcept override;
  Result<> send_some();
  bool was_read() const noexcept;
  std::uint64_t unread_bytes() const noexcept;
  std::int64_t claim_process(std::int64_t now_ms);
  Result<bool> refill();
  void note_reset(Error error) noexcept;
  Result<> read_some();
  Task<Result<>> wait(std::int64_t until_ms);

  UpstreamConnection& connection_;
  http::Exchange& exchange_;
  UpstreamPool& pool_;
  const Milliseconds patience_;
  FastCgiDecoder decoder_;
  const BodySpool* body_ = nullptr;
  std::uint64_t body_sent_ = 0;
  bool held_back_ = false;    // the end of params is not sent
  bool end_waits_ = false;    // the end of stdin is not sent before something is received
  bool was_reset_ = false;    // by the other side, over TCP
  bool input_ended_ = false;  // the end of stdin is encoded
  bool send_failed_ = false;  // it takes no more; there may be an answer all the same
  bool is_fresh_;             // a new connection, and nothing says that a process has taken it up
  bool is_stuck_ = false;     // and the pool knows that it claims a process
  std::uint64_t bytes_sent_ = 0;
  std::uint64_t bytes_received_ = 0;
  std::size_t read_bytes_;
  std::int64_t progress_ms_ = 0;
  Buffer scratch_;  // of the body, from its file
  WaitPoint ready_;
  Timer wake_;
};

}  // namespace portero::proxy
