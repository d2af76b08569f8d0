// H2Stream: the bytes of one HTTP/2 stream in both directions, between nghttp2 and whoever serves
// the stream (an H2Exchange, later perhaps a tunnel's H2StreamBytes).
//
// In: DATA is kept until it is taken, and only taking it opens the stream's window again, so a
// client can send at most one window ahead. Out: small pieces are copied and share frames, large
// ones are lent and copied once, into the frame; nghttp2 fetches both at the turn's end.
// Thread: the worker of the connection. Owner: the coroutine that serves the stream; the session
// knows it until nghttp2 has closed the stream.
#pragma once

#include <cstdint>

#include "base/buffer.hpp"
#include "base/result.hpp"
#include "base/run_queue.hpp"
#include "base/timer_wheel.hpp"
#include "http/h2_memory.hpp"
#include "http/h2_response.hpp"

namespace portero::http {

class H2Exchange;
class H2Session;
class H2StreamBytes;

class H2Stream final : public FromFramePool {
 public:
  H2Stream(H2Session& session, std::int32_t id) noexcept;
  H2Stream(const H2Stream&) = delete;
  H2Stream& operator=(const H2Stream&) = delete;
  // Resets what is still open.
  ~H2Stream();

  std::int32_t id() const noexcept { return id_; }
  // Signalled when there is something new to take, or room for more to send; and by failures.
  WaitPoint& readable() noexcept { return readable_; }
  WaitPoint& writable() noexcept { return writable_; }

  // --- what came in
  // Takes all that has come; the view stays valid until the next call. Empty: the end.
  // Errors: would_block, what failure() says.
  Result<Bytes> take_input();
  // Copies what has come; 0: the end. Errors: as above.
  Result<std::size_t> read(MutableBytes into);
  bool input_ended() const noexcept { return input_ended_; }

  // --- what goes out
  void send_interim(H2Fields fields);
  void send_head(H2Fields fields, bool last);
  // Appends a copy. Limits: whoever calls looks at output_size().
  void send_copy(Bytes piece);
  // Appends a view of `piece`, which stays where it is until lent() is empty.
  void lend(Bytes piece);
  // Ends the output; `trailers` stay where they are until output_done().
  void end_output(H2Fields trailers);
  std::size_t output_size() const noexcept { return output_.size() + lent_.size(); }
  Bytes lent() const noexcept { return lent_; }
  // The head's frame has been written: its fields are not needed any more.
  bool head_done() const noexcept { return head_done_; }
  // The end of the output has been written, or the stream has failed.
  bool output_done() const noexcept { return end_done_ || failure_ != Errc::ok; }

  // --- its end
  // Gives up: RST_STREAM. Every wait returns and every call fails with `why`.
  void reset(Errc why);
  // Lets every wait return and every call fail with `why`; what came first stays.
  void fail(Errc why);
  Errc failure() const noexcept { return failure_; }

  // Resets the stream when the client has not taken 1 kB for as long as a write may take.
  void watch_output();
  void unwatch_output() noexcept { write_timer_.disarm(); }

  // Who hears of what happens: the exchange while there is one (trailers), the tunnel then.
  void set_exchange(H2Exchange* exchange) noexcept { exchange_ = exchange; }
  H2Exchange* exchange() noexcept { return exchange_; }
  void set_bytes(H2StreamBytes* bytes) noexcept { bytes_ = bytes; }

 private:
  friend class H2Session;

  // --- what the session reports
  void on_data(Bytes data);
  void on_end() noexcept;
  void on_frame_written(bool last) noexcept;
  void on_closed() noexcept;
  // What can go into a frame of `limit` bytes.
  std::size_t next_size(std::size_t limit) const noexcept;
  bool is_last(std::size_t size) const noexcept { return output_ended_ && size == output_size(); }
  // Moves the next `size` bytes into the connection's output.
  void move_output(std::size_t size, Buffer& out);

  void wake_sender();
  void signal_readable() noexcept;
  void signal_writable() noexcept;
  void consume_input(std::size_t size);
  static void on_write_timeout(void* self);

  H2Session& session_;
  const std::int32_t id_;
  Errc failure_ = Errc::ok;

  bool input_ended_ = false;
  bool output_ended_ = false;
  bool head_done_ = false;
  bool end_done_ = false;
  bool deferred_ = false;  // nghttp2 has found nothing to send and waits to be told
  bool closed_ = false;    // nghttp2 has closed the stream: it does not know this object any more
  bool wide_ = false;      // has been given a large window

  Buffer input_;
  Buffer taken_;  // behind the view that take_input() has returned
  std::uint64_t input_total_ = 0;

  Buffer output_;
  Bytes lent_;  // behind output_; owned by the one who waits in writable()
  H2Fields trailers_;
  std::size_t written_since_watch_ = 0;

  WaitPoint readable_;
  WaitPoint writable_;
  Timer write_timer_;
  H2Exchange* exchange_ = nullptr;
  H2StreamBytes* bytes_ = nullptr;

  // The session's list.
  H2Stream* next_ = nullptr;
  H2Stream* previous_ = nullptr;
};

}  // namespace portero::http
