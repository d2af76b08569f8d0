// Exchange: one request and its response, any HTTP version. Handlers see only this; they never ask
// the version. It lives in its connection's frame (HTTP/1) or its stream's (HTTP/2), together with
// the arena that every view of the request points into.
// Thread: the worker of the connection.
#pragma once

#include <cstdint>
#include <memory>

#include "base/arena.hpp"
#include "base/bytes.hpp"
#include "base/result.hpp"
#include "base/task.hpp"
#include "http/message.hpp"
#include "http/timeouts.hpp"
#include "net/byte_stream.hpp"

namespace portero::http {

enum class Last : bool { no, yes };

// What is known about the connection under an Exchange; lives as long as the connection.
// What a client's certificate says, once it is verified as the site demands.
struct ClientCertificate {
  std::string subject;      // RFC 2253
  std::string fingerprint;  // SHA-256, lower-case hexadecimal digits
};

// Whether a connection may be used, once it is known for which site.
class ConnectionGuard {
 public:
  virtual ~ConnectionGuard() = default;
  // `host`: of the first request, or of the handshake.
  virtual bool admits(std::string_view host) = 0;
};

struct ConnectionInfo {
  IpAddress peer;
  std::uint16_t peer_port = 0;
  IpAddress local;
  std::uint16_t local_port = 0;
  bool tls = false;
  std::string sni;  // lower case; empty without TLS or SNI
  std::uint64_t id = 0;
  std::shared_ptr<const ClientCertificate> client_certificate = {};  // nullptr: none was shown
  ConnectionGuard* guard = nullptr;                                  // nullptr: no limits
};

// What takes over a connection after 101 (or 200 to an extended CONNECT): a WebSocket of the hub, a
// tunnel. It owns everything it needs; the Exchange is gone when run() starts.
class Session {
 public:
  virtual ~Session() = default;
  // `stream` starts with the bytes in `early` (sent by the client right behind its request).
  virtual Task<> run(std::unique_ptr<net::ByteStream> stream, std::string early) = 0;
};

class Exchange;

// Changes response heads on their way out (headers, Server, Alt-Svc, …); a route has a list.
class ResponseStep {
 public:
  virtual ~ResponseStep() = default;
  virtual void apply(Exchange& exchange, Response& response) const = 0;
};

// What is answered in place of the plain page, when an answer is an error of this server's own.
class ErrorPages {
 public:
  virtual ~ErrorPages() = default;
  // Whether there is a page for `response`, which then has been sent; else nothing has. `text`:
  // what went wrong, in a sentence. Errors: those of writing.
  virtual Task<Result<bool>> answer(Exchange& exchange, Response& response,
                                    std::string_view text) const = 0;
};

// Where bytes of a response's body may go past the exchange, from one socket to another.
class RawBody {
 public:
  // The client's stream, when the next `bytes` of the body may be written to its raw_fd(): nothing
  // is held back, nothing changes them, and more follow; else nullptr.
  virtual net::ByteStream* begin_raw(std::uint64_t bytes) noexcept = 0;
  // So many have been written since begin_raw().
  virtual void note_raw(std::uint64_t bytes) noexcept = 0;
  // Returns when the client may take more. Errors: timeout_write, as ByteStream::try_write.
  virtual Task<Result<>> wait_raw() = 0;

 protected:
  ~RawBody() = default;
};

// Changes a response's body on its way out (compression). Set by a response step.
class BodyFilter {
 public:
  struct Output {
    Bytes data;         // good until the next call
    bool done = false;  // nothing more comes of this piece
  };

  virtual ~BodyFilter() = default;
  // Takes from the front of `piece`; called again until it is done. An empty piece with Last::no
  // asks for all that has been held back. Errors: internal.
  virtual Result<Output> next(Bytes& piece, Last last) = 0;
};

class Exchange {
 public:
  explicit Exchange(const ConnectionInfo& connection_info, const Timeouts& limits = {}) noexcept
      : request(arena), connection(connection_info), timeouts(limits) {}
  Exchange(const Exchange&) = delete;
  Exchange& operator=(const Exchange&) = delete;
  virtual ~Exchange() = default;

  Arena arena;  // first member: everything below points into it
  Request request;
  const ConnectionInfo& connection;
  Timeouts timeouts;  // how long the client may take: the site's, once it is known

  // The next piece of the request body; empty at its end (then request.trailers is complete). The
  // view stays valid until the next call. Not calling it is backpressure. Sends 100 (Continue)
  // first when the client waits for it. A read that waits when the response ends, or when reset()
  // is called, returns `cancelled`.
  // Errors: end_of_stream, connection_reset, timeout_body, bad_request, bad_framing, stream_reset,
  //   body_too_large (past body_bytes_max), cancelled.
  virtual Task<Result<Bytes>> read_body() = 0;
  // Sends an informational response (1xx but 101). HTTP/1.0 clients get none.
  virtual Task<Result<>> send_interim(Response& response) = 0;
  // Hands over the head, after the route's response steps. Nothing may leave before the first
  // send_body(), so head and body can share one write. Call once.
  Task<Result<>> send_head(Response& response);
  // Sends a piece of the body; returns when the peer may take more. An empty piece with Last::no
  // flushes what is buffered (use it before waiting for an upstream that streams).
  Task<Result<>> send_body(Bytes piece, Last last) {
    return body_filter ? send_filtered(piece, last) : write_body(piece, last);
  }
  // Gives up visibly: HTTP/1 closes without completing the body, HTTP/2 resets the stream.
  virtual void reset(Errc why) noexcept = 0;
  // Whether the client is known to have gone: work for it may be given up.
  virtual bool client_gone() const noexcept = 0;
  // Signalled when client_gone() may have changed, so that a handler that waits for somebody else
  // notices at once. Set by that handler, and back to nullptr before the point goes.
  WaitPoint* client_watch = nullptr;

  bool head_sent() const noexcept { return status_sent != 0; }

  std::span<const ResponseStep* const> response_steps;  // set by the route
  RawBody* raw_body = nullptr;                          // set by exchanges that can
  const ErrorPages* error_pages = nullptr;              // set by the route
  std::unique_ptr<BodyFilter> body_filter;              // set by a response step; may be null
  std::uint64_t body_bytes_max = UINT64_MAX;            // of the request; set by the route
  std::unique_ptr<Session> takeover;                    // set by the handler that sends 101 / 200

  // For the access log.
  int status_sent = 0;
  std::uint64_t body_bytes_sent = 0;
  std::uint64_t body_bytes_read = 0;
  std::int64_t started_ms = 0;   // monotonic
  std::string_view upstream;     // address of the upstream that answered, if any
  std::uint64_t request_id = 0;  // random; made when first asked for ({request_id})
  // While a page answers for an error: its status and fields, which the answer gets.
  const Response* error_answer = nullptr;
  int error_status = 0;  // while an error is answered: its status and what went wrong
  std::string_view error_reason;
  std::string_view rate_limit;  // the RateLimit field of the answer, set by a gate

 protected:
  virtual Task<Result<>> write_head(Response& response) = 0;
  virtual Task<Result<>> write_body(Bytes piece, Last last) = 0;

 private:
  Task<Result<>> send_filtered(Bytes piece, Last last);
};

// 16 hex digits, the same for the whole of an exchange; in its arena.
std::string_view request_id(Exchange& exchange);

// Answers with a complete small response. `body` is text/plain unless `content_type` says else.
// For HEAD only the head is sent.
Task<Result<>> respond(Exchange& exchange, int status, std::string_view body,
                       std::string_view content_type = "text/plain; charset=utf-8");
// The same for a Response that has its headers already.
Task<Result<>> respond(Exchange& exchange, Response& response, std::string_view body);

// Answers with an error of this server's own: the page of the route's `errors`, or a plain one in
// the form that the client prefers (HTML, JSON, text). `text`: what went wrong, in a sentence.
Task<Result<>> respond_error(Exchange& exchange, int status, std::string_view text);
// The same for a Response that has its status and further fields.
Task<Result<>> respond_error(Exchange& exchange, Response& response, std::string_view text);

}  // namespace portero::http
