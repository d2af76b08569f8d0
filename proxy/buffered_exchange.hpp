// BufferedExchange: an exchange whose answer is taken as fast as it comes and sent as fast as the
// client reads, so that a slow client holds no connection to an upstream (`proxy: {buffering}`).
// Streams (text/event-stream, X-Accel-Buffering: no) pass as they come.
// Thread: the worker's. Owner: the handler's frame, which calls finish() before it goes.
#pragma once

#include <string>

#include "http/exchange.hpp"
#include "proxy/spool.hpp"

namespace portero::proxy {

class BufferedExchange final : public http::Exchange {
 public:
  // `client` outlives it. `spool_folder`: for what memory does not hold.
  BufferedExchange(http::Exchange& client, const std::string& spool_folder);

  // Waits until everything has been sent, or has failed to be. Errors: of the client.
  Task<Result<>> finish();

  Task<Result<Bytes>> read_body() override { return client_.read_body(); }
  Task<Result<>> send_interim(http::Response& response) override {
    return client_.send_interim(response);
  }
  void reset(Errc why) noexcept override;
  bool client_gone() const noexcept override { return client_.client_gone() || failed_; }

 private:
  Task<Result<>> write_head(http::Response& response) override;
  Task<Result<>> write_body(Bytes piece, http::Last last) override;
  Task<> send_spooled();
  Task<Result<>> send_pieces();

  http::Exchange& client_;
  AnswerSpool spool_;
  bool is_stream_ = false;
  bool sending_ = false;
  bool complete_ = false;   // the last piece has been written
  bool ended_ = false;      // it has been sent
  bool failed_ = false;     // the client does not take it
  Errc broken_ = Errc::ok;  // the answer ends here, and not well
  Error error_ = Errc::ok;  // of the client
  WaitPoint news_;          // for who sends
  WaitPoint room_;          // for who writes
  WaitPoint done_;          // for finish()
};

}  // namespace portero::proxy
