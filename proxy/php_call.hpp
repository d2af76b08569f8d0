// PhpCall: one attempt to have PHP-FPM answer an exchange, over one leased connection. The answer
// is read as fast as PHP writes it and waits in a spool, so that the process is free again while a
// slow client still reads; a stream is passed on as it comes instead. Thread: the worker's. Owner:
// the frame of PhpHandler::handle, which outlives both coroutines.
#pragma once

#include <optional>

#include "proxy/cgi_environment.hpp"
#include "proxy/cgi_head.hpp"
#include "proxy/fastcgi_client.hpp"
#include "proxy/next_turn.hpp"
#include "proxy/upstream_queue.hpp"

namespace portero::proxy {

struct PhpSettings {
  QueueLimits queue;
  Milliseconds response{60'000};  // to the answer's head, and between its pieces
  bool buffering = true;
  std::uint64_t body_bytes_max = 100'000'000;
  std::string spool_folder;
  std::string sendfile_root;
  CgiSettings cgi;
};

class PhpCall {
 public:
  // `may_repeat`: whether the caller would make another attempt.
  PhpCall(http::Exchange& exchange, Lease lease, const PhpSettings& settings, NextTurn& next_turn,
          bool may_repeat);
  PhpCall(const PhpCall&) = delete;
  PhpCall& operator=(const PhpCall&) = delete;

  // Sends the request and passes the answer on. When it fails and may_retry() says so, nothing has
  // been told to the client and another attempt may be made. Every other failure of PHP has been
  // answered or has reset the exchange.
  // Errors: of the client (send_head, send_body), cancelled (the client has gone).
  Task<Result<>> run(Bytes params, const BodySpool& body);
  bool may_retry() const noexcept { return may_retry_; }
  // Whether PHP may have run the script.
  bool may_have_started() const noexcept { return sent_; }
  // The file that PHP wants sent instead of its answer, or "": then nothing has been sent, and
  // response() has the fields that go with it.
  std::string_view file() const noexcept { return head_.file(); }
  http::Response& response() noexcept { return response_; }

 private:
  Task<Result<>> gather();
  Task<Result<>> receive(std::int64_t wait_ms_max);
  Result<> take(const Result<FastCgiPiece>& piece);
  Result<> take_output(Bytes data);
  void log_errors(Bytes text);
  Result<> take_end(Bytes content);

  Task<Result<>> deliver();
  Task<> receive_rest();
  Task<Result<>> send_from_spool();
  Task<Result<>> send_piece(Bytes piece, http::Last last);
  void decide_framing() noexcept;
  bool is_bodiless() const noexcept;
  bool is_stream() const noexcept;

  bool judge_retry(Errc code) const noexcept;
  Task<> reconsider();
  Task<Result<>> conclude_failure(Error error);

  http::Exchange& exchange_;
  PoolRef pool_;
  std::optional<Lease> lease_;  // until PHP is done
  const PhpSettings& settings_;
  NextTurn& next_turn_;
  std::optional<FastCgiClient> client_;  // as long as the lease
  http::Response response_;
  CgiHeadParser head_;
  AnswerSpool spool_;
  std::string_view detail_;  // what was wrong with the answer
  std::size_t error_bytes_ = 0;
  const bool may_repeat_;
  bool may_retry_ = false;
  bool received_ = false;       // something of an answer
  bool sent_ = false;           // something of the request, so that a script may have started
  bool ended_ = false;          // PHP has said that it is done
  bool client_failed_ = false;  // what went wrong lies on the client's side

  // While PHP writes and the client reads.
  bool receiving_ = false;
  bool stopped_ = false;  // nobody wants the rest
  bool sending_ = false;  // the client is slow at this moment
  Errc failure_ = Errc::ok;
  std::uint64_t left_ = UINT64_MAX;  // of Content-Length
  WaitPoint news_;                   // for who sends: data, the end, a failure
  WaitPoint room_;                   // for who receives
  FairShare receive_share_;
  bool share_used_ = false;
  FairShare send_share_;
};

// Answers for a PHP that failed, in one line that says what to check. Errors: those of writing.
Task<Result<>> answer_php_failure(http::Exchange& exchange, Error error, const UpstreamPool& pool,
                                  std::string_view detail);

}  // namespace portero::proxy
