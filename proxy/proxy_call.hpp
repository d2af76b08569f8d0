// ProxyCall: one attempt to have an upstream answer an exchange, over one leased connection.
// The request's body is sent by a second coroutine, so that an answer may come at any time; the
// answer's body is read only when the client has taken the piece before.
// Thread: the worker's. Owner: the frame of ReverseProxy::handle, which outlives both coroutines.
#pragma once

#include <optional>

#include "proxy/h1_client.hpp"
#include "proxy/next_turn.hpp"
#include "proxy/upstream_request.hpp"

namespace portero::proxy {

struct ProxySettings {
  Milliseconds connect{3'000};
  Milliseconds response{60'000};  // to the answer's head, and between its pieces
  Milliseconds idle{120'000};     // of tunnels without traffic; 0 = no limit
  HeaderEdits headers_up;
  HeaderEdits headers_down;
};

class ProxyCall {
 public:
  struct Surroundings {
    NextTurn& next_turn;
    // Whether the caller would make another attempt after a kept connection, or a new one, died.
    bool may_repeat_kept = false;
    bool may_repeat_new = false;
    std::string_view set_cookie = {};  // for the client; "" = none
  };
  ProxyCall(http::Exchange& exchange, Lease lease, const ProxySettings& settings,
            const Surroundings& around);
  ProxyCall(const ProxyCall&) = delete;
  ProxyCall& operator=(const ProxyCall&) = delete;

  // Passes the request on and the answer back. When it fails and may_retry() says so, nothing has
  // been told to the client and another attempt may be made. Every other failure of the upstream
  // has been answered or has reset the exchange.
  // Errors: of the client (read_body, send_head, send_body), cancelled (the client has gone).
  Task<Result<>> run();
  // Nothing was sent; or the connection died without a byte of an answer, the method is idempotent
  // and no body was read. Source: RFC 9110 §9.2.2, RFC 9112 §9.3.1.
  bool may_retry() const noexcept { return may_retry_; }
  // Whether the upstream is to blame for the end. A kept connection that had died is no fault.
  bool upstream_failed() const noexcept { return upstream_failed_; }
  bool was_first_use() const noexcept { return first_use_; }

 private:
  // request side
  void begin_request();
  bool has_body() const noexcept;
  void start_upload();
  Task<> upload();
  Task<Result<>> upload_pieces();
  Task<> end_upload();
  Task<> wait_for_upload();

  // response side
  Task<Result<>> converse();
  Task<Result<>> read_final_head();
  Task<Result<>> read_more_head();
  Task<Result<>> pass_interim();
  Task<Result<>> pass_head();
  Task<Result<>> relay_body();
  Task<Result<>> read_more_body(http::H1BodyDecoder& decoder);
  bool may_splice(const http::H1BodyDecoder& decoder) const noexcept;
  Task<Result<>> splice_middle(http::H1BodyDecoder& decoder);
  Task<Result<>> send_piece(Bytes piece, http::Last last);
  Task<Result<>> switch_protocols();

  // the end
  bool judge_retry(Errc code) const noexcept;
  Task<Result<>> conclude_failure(Error error);
  bool is_reusable() const noexcept;

  http::Exchange& exchange_;
  Lease lease_;
  UpstreamConnection& connection_;
  const ProxySettings& settings_;
  H1Client client_;
  http::H1ResponseParser parser_;
  http::Response response_;
  UpgradeRequest upgrade_;
  const bool first_use_;
  const Surroundings around_;
  bool upstream_failed_ = false;
  bool may_retry_ = false;
  bool client_failed_ = false;  // what went wrong lies on the client's side
  bool answer_complete_ = false;
  FairShare read_share_;

  // the upload
  enum class Upload : std::uint8_t { none, waiting_for_continue, running, complete, cut };
  Upload upload_ = Upload::none;
  bool stop_upload_ = false;
  Errc request_failure_ = Errc::ok;  // of read_body
  WaitPoint upload_ended_;
  FairShare upload_share_;
};

}  // namespace portero::proxy
