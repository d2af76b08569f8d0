// H2Exchange: the request and response of one HTTP/2 stream, as handlers see them.
// Thread: the worker of the connection. Owner: the session while the head comes in, then the
// coroutine that serves the stream.
#pragma once

#include <memory>
#include <string_view>

#include "http/exchange.hpp"
#include "http/h2_connection.hpp"
#include "http/h2_request.hpp"
#include "http/h2_stream.hpp"

namespace portero::http {

class H2Exchange final : public Exchange, public FromFramePool {
 public:
  H2Exchange(std::unique_ptr<H2Stream> stream, const H2Context& context) noexcept;
  ~H2Exchange() override;

  H2Stream& stream() noexcept { return *stream_; }
  // Reads the fields of the request, later those of its trailer section.
  H2RequestReader& reader() noexcept { return reader_; }
  // Says that the head is complete. False when it is malformed and the stream is to be reset.
  bool begin(bool body_follows);
  // Whether the request is answered by refuse() and never reaches the service.
  bool is_refused() const noexcept { return refusal_status_ != 0; }
  Task<> refuse();
  // Completes what the handler has left open, then waits until the response has been written: its
  // fields live in the arena.
  Task<> finish();
  // The stream, for the session that takes over, when there is one and the client has been told.
  // The exchange is good for nothing but its destruction then.
  std::unique_ptr<H2Stream> release_stream() noexcept;

  Task<Result<Bytes>> read_body() override;
  Task<Result<>> send_interim(Response& response) override;
  void reset(Errc why) noexcept override;
  bool client_gone() const noexcept override;

 private:
  Task<Result<>> write_head(Response& response) override;
  Task<Result<>> write_body(Bytes piece, Last last) override;
  Result<> submit_head(Response& response);
  Task<Result<>> wait_for_input();
  bool has_room(std::size_t piece_bytes) const noexcept;
  Task<Result<>> send_copied_later(Bytes piece, Last last);
  Task<Result<>> send_lent(Bytes piece, Last last);
  void end_output();
  Task<> wait_for_output();
  void send_continue();
  Result<> account(std::size_t piece_bytes, Last last);
  bool is_tunnel() const noexcept { return tunnel_; }

  static void on_read_timeout(void* self);

  const H2Context& context_;
  std::unique_ptr<H2Stream> stream_;
  H2RequestReader reader_;
  int refusal_status_ = 0;
  std::string_view refusal_detail_;

  // The request's body.
  bool continue_pending_ = false;
  bool read_timed_out_ = false;
  Timer read_timer_;
  Milliseconds waited_{0};          // for progress_bytes_min of the body
  std::size_t progress_bytes_ = 0;  // since waited_ was zero

  // The response.
  Response* response_ = nullptr;  // the handler's, until the last piece: its trailers come last
  bool tunnel_ = false;           // the stream goes on as a tunnel
  bool body_expected_ = false;    // HEAD, 204 and 304 announce a body that does not follow
  bool length_known_ = false;
  std::uint64_t length_left_ = 0;
  bool finished_ = false;  // the handler has sent the last piece
};

}  // namespace portero::http
