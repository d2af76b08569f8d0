// H1Exchange: one request of an HTTP/1 connection and its response, as handlers see it.
// Head and body are gathered in the connection's output buffer and leave with one write; large
// pieces of a body are written from where they are.
// Thread: the worker of the connection. Owner: the frame in h1_connection that serves the request.
#pragma once

#include "http/exchange.hpp"
#include "http/h1_codec.hpp"
#include "http/h1_transport.hpp"
#include "http/handler.hpp"

namespace portero::http {

// What becomes of the connection after an exchange.
enum class H1Next : std::uint8_t {
  request,   // it serves the next one
  close,     // orderly
  linger,    // orderly, but the client may still be sending: it must get to read the answer
  abort,     // at once, so that the client sees a cut answer as cut
  takeover,  // a Session goes on with the stream
};

class H1Exchange final : public Exchange, private RawBody {
 public:
  H1Exchange(H1Transport& transport, const ConnectionInfo& connection_info,
             const Service& service) noexcept;
  ~H1Exchange() override;

  // Says that the head in `request` is complete.
  void begin() noexcept;
  // Answers a request whose head was not accepted; `detail` tells the client what was wrong.
  // Returns what becomes of the connection: it cannot be used again.
  Task<H1Next> refuse(Error error, std::string_view detail);
  // Completes what the handler has left open: no answer, an unfinished body, an unread request.
  Task<H1Next> finish();

  Task<Result<Bytes>> read_body() override;
  Task<Result<>> send_interim(Response& response) override;
  void reset(Errc why) noexcept override;
  bool client_gone() const noexcept override;

 private:
  net::ByteStream* begin_raw(std::uint64_t bytes) noexcept override;
  void note_raw(std::uint64_t bytes) noexcept override;
  Task<Result<>> wait_raw() override { return transport_.wait_writable(timeouts.write); }
  Task<Result<>> write_head(Response& response) override;
  Task<Result<>> write_body(Bytes piece, Last last) override;
  Result<> encode_head(Response& response);
  BodyFraming announce(const Response& response) noexcept;
  bool decide_keep_alive(const Response& response) const noexcept;
  H1Next give_up() noexcept;
  void add_to_output(Bytes piece, Last last);
  Task<Result<>> send_rest(Error error, Last last);
  Task<Result<>> send_large(Bytes piece, Last last);
  Task<Result<>> flush(H1Pieces pieces);
  Result<> complete() noexcept;

  Task<H1Next> finish_slowly();
  Task<Result<>> read_more();
  void send_continue();
  void stop_waiting() noexcept;
  Task<bool> drain();

  H1Transport& transport_;
  const Service& service_;

  // The request's body.
  H1BodyDecoder decoder_;
  std::int64_t request_read_ms_ = 0;  // when its head was complete, later its body
  bool continue_pending_ = false;
  bool waits_for_body_ = false;
  Errc read_failure_ = Errc::ok;
  Milliseconds waited_{0};          // for progress_bytes_min of the body
  std::size_t progress_bytes_ = 0;  // since waited_ was zero

  // The response.
  Response* response_ = nullptr;  // the handler's, until the last piece: its trailers come last
  BodyFraming framing_;           // length: what is left
  bool body_expected_ = false;    // HEAD, 204 and 304 announce a body that does not follow
  bool keep_alive_ = false;
  bool switching_ = false;
  bool finished_ = false;
  Errc write_failure_ = Errc::ok;
};

}  // namespace portero::http
