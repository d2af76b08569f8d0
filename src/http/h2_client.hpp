// HTTP/2 towards an upstream: one connection, many requests. H2ClientConnection runs the session;
// an H2ClientStream is one request and its answer, in the frame of who asks.
// Thread: the worker's. Owner: a connection is shared by its pool and its streams.
// Limits: header_bytes_max and fields_max of an answer's head, stream_window_bytes of an answer
// that
//   nobody reads. Source: RFC 9113.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include "base/buffer.hpp"
#include "http/message.hpp"
#include "net/byte_stream.hpp"

struct nghttp2_session;

namespace portero::http {

class H2ClientStream;

class H2ClientConnection
    : public boost::intrusive_ref_counter<H2ClientConnection, boost::thread_unsafe_counter> {
 public:
  static constexpr std::uint32_t stream_window_bytes = 256 * 1024;
  static constexpr std::size_t answer_head_bytes_max = 64 * 1024;

  // Begins a session on a stream that is connected (TLS: has agreed on "h2").
  static boost::intrusive_ptr<H2ClientConnection> start(std::unique_ptr<net::ByteStream> stream);
  ~H2ClientConnection();
  H2ClientConnection(const H2ClientConnection&) = delete;
  H2ClientConnection& operator=(const H2ClientConnection&) = delete;

  // Whether it takes another request now.
  bool has_room() const noexcept;
  bool is_alive() const noexcept { return failure_ == Errc::ok; }
  std::size_t stream_count() const noexcept { return streams_.size(); }
  // Ends it, and the streams with it.
  void close(Errc why) noexcept;

 private:
  friend class H2ClientStream;
  friend struct H2ClientCallbacks;

  explicit H2ClientConnection(std::unique_ptr<net::ByteStream> stream);
  static Task<> run_reader(boost::intrusive_ptr<H2ClientConnection> self);
  static Task<> run_writer(boost::intrusive_ptr<H2ClientConnection> self);
  void wake_writer() noexcept { output_.signal(); }
  H2ClientStream* find(std::int32_t id) const noexcept;
  void fail(Errc why) noexcept;

  std::unique_ptr<net::ByteStream> stream_;
  nghttp2_session* session_ = nullptr;
  std::vector<H2ClientStream*> streams_;
  WaitPoint output_;
  Errc failure_ = Errc::ok;
  bool going_away_ = false;
};
using H2ClientPointer = boost::intrusive_ptr<H2ClientConnection>;

struct H2ClientRequest {
  std::string_view method;
  std::string_view scheme;
  std::string_view authority;
  std::string_view path;
  std::span<const Field> fields;  // without Host and what belongs to a connection
  bool has_body = false;
};

class H2ClientStream {
 public:
  // `arena`: for the answer's fields.
  H2ClientStream(H2ClientPointer connection, Arena& arena);
  // Cancels what is still under way.
  ~H2ClientStream();
  H2ClientStream(const H2ClientStream&) = delete;
  H2ClientStream& operator=(const H2ClientStream&) = delete;

  // Errors: connection_reset, when the session takes no more.
  Result<> open(const H2ClientRequest& request);
  // Hands over a piece of the body. Errors: connection_reset, stream_reset.
  Task<Result<>> send_body(Bytes piece, bool last);

  // Signalled whenever something of the below may have changed.
  WaitPoint& news() noexcept { return news_; }
  // The next head, once it is there: informational ones first. Its fields lie in the arena.
  bool has_head() const noexcept { return head_complete_; }
  Response& head() noexcept { return head_; }
  void take_interim() noexcept;
  bool has_body() const noexcept { return !body_.empty(); }
  // Takes what is there of the body; release() of its size lets the upstream send on.
  Buffer take_body() noexcept { return std::move(body_); }
  void release(std::size_t count);
  bool ended() const noexcept { return ended_; }  // all of the answer has come
  // Why it will not come: ok, stream_reset, connection_reset, bad_upstream_response.
  Errc failure() const noexcept { return failure_; }
  // The upstream has said that it did nothing with the request (RFC 9113 §8.7).
  bool was_refused() const noexcept { return refused_; }

 private:
  friend class H2ClientConnection;
  friend struct H2ClientCallbacks;
  void fail(Errc why, bool refused) noexcept;

  H2ClientPointer connection_;
  Arena& arena_;
  std::int32_t id_ = 0;
  Response head_;
  std::size_t head_bytes_ = 0;
  Buffer body_;
  Buffer upload_;
  bool upload_complete_ = false;
  bool upload_waits_ = false;  // nghttp2 has found nothing to send
  bool head_complete_ = false;
  bool final_head_ = false;
  bool ended_ = false;
  bool closed_ = false;
  bool refused_ = false;
  Errc failure_ = Errc::ok;
  WaitPoint news_;
  WaitPoint upload_room_;
};

}  // namespace portero::http
