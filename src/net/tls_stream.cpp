#include "net/tls_stream.hpp"

#include <sys/epoll.h>

#include <algorithm>
#include <array>
#include <cstring>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509_vfy.h>

#include "base/assert.hpp"
#include "base/log.hpp"

namespace portero::net {
namespace {

constexpr std::size_t record_bytes_max = SSL3_RT_MAX_PLAIN_LENGTH;  // RFC 8446 §5.1
// Reads of the socket that brought no data (only KeyUpdate, tickets) before one try_read gives up
// on the peer. OpenSSL goes through up to 16 KiB of such records in each: about 10 ms of key
// changes.
constexpr int silent_reads_max = 4;
constexpr Milliseconds drain_time_max{10'000};

// Cuts the parts of a write into records: a part that fills one, or is the last, is taken as it
// lies; smaller ones are gathered, because copying 16 KiB costs less than a second record.
class RecordCutter {
 public:
  explicit RecordCutter(std::span<const Bytes> parts) noexcept : parts_(parts) {}

  // Returns the next record's plaintext, valid until the next call; empty at the end.
  Bytes next() noexcept {
    while (!parts_.empty() && rest_of_first().empty()) drop_first();
    if (parts_.empty()) return {};
    const Bytes first = rest_of_first().substr(0, record_bytes_max);
    if (first.size() == record_bytes_max || parts_.size() == 1) {
      offset_ += first.size();
      return first;
    }
    return gather();
  }

 private:
  Bytes gather() noexcept {
    static thread_local std::array<char, record_bytes_max> scratch;
    std::size_t size = 0;
    while (!parts_.empty() && size < scratch.size()) {
      const Bytes piece = rest_of_first().substr(0, scratch.size() - size);
      if (!piece.empty()) std::memcpy(scratch.data() + size, piece.data(), piece.size());
      size += piece.size();
      offset_ += piece.size();
      if (rest_of_first().empty()) drop_first();
    }
    return {scratch.data(), size};
  }
  Bytes rest_of_first() const noexcept { return parts_.front().substr(offset_); }
  void drop_first() noexcept {
    parts_ = parts_.subspan(1);
    offset_ = 0;
  }

  std::span<const Bytes> parts_;
  std::size_t offset_ = 0;  // into the first part
};

// Sends what a closed session left behind, as the kernel does for a plain socket.
Task<> drain(std::unique_ptr<TcpStream> tcp, Buffer unsent, TimerWheel& timers) {
  Deadline deadline(*tcp);
  deadline.arm(timers, drain_time_max, Errc::timeout_write);
  const Result<> sent = co_await write_all(*tcp, unsent.readable());
  if (sent) tcp->shutdown_write();
}

const char* last_reason() noexcept {
  const char* const reason = ERR_reason_error_string(ERR_peek_error());
  return reason == nullptr ? "" : reason;
}

// Runs a handshake to its end. `stream` is owned by the caller's frame; it waits in the stream
// below, which those who may end the handshake know.
Task<Result<>> finish_handshake(TlsStream& stream) {
  for (;;) {
    const Result<> step = stream.advance_handshake();
    if (step || step.error().code != Errc::would_block) co_return step;
    co_await stream.tcp().readable();
  }
}

// The same for a server, whose client may have to wait for a certificate.
Task<Result<>> finish_accept(TlsStream& stream, NameGate* gate, Deadline& deadline,
                             const AcceptOptions& options) {
  for (bool has_waited = false;;) {
    const Result<> step = stream.advance_handshake();
    if (step || step.error().code != Errc::would_block) co_return step;
    if (!stream.waits_for_name()) {
      co_await stream.tcp().readable();
      continue;
    }
    if (!std::exchange(has_waited, true)) {
      deadline.arm(options.timers, options.name_timeout, Errc::timeout_handshake);
    }
    const NameGate::Wait wait(*gate, stream.tcp().readable());
    co_await stream.tcp().readable();
    // OpenSSL reads nothing meanwhile, so it would not notice.
    if (stream.tcp().failure() != Errc::ok) co_return stream.tcp().failure();
  }
}

void log_refusal(const AcceptOptions& options, Error error, std::string_view reason) {
  if (!log::enabled(LogLevel::debug)) return;
  log::debug("tls.handshake_failed", log::kv("client", options.client.to_string()),
             log::kv("error", error), log::kv("reason", reason));
}

}  // namespace

TlsStream::TlsStream(std::unique_ptr<TcpStream> tcp, TlsSession session, TimerWheel& timers)
    : wire_(std::move(tcp)), session_(std::move(session)), timers_(timers) {
  BIO* const bio = session_ == nullptr ? nullptr : wire_.make_bio();
  if (bio == nullptr) {
    broken_ = Errc::internal;
    return;
  }
  SSL_set_bio(session_.get(), bio, bio);
  wire_.tcp().set_follower(this);
  wire_.set_gathering(true);
}

TlsStream::~TlsStream() {
  wire_.tcp().set_follower(nullptr);
  if (is_reset_at_end()) wire_.tcp().reset_at_end();
  // Without this OpenSSL would void the ticket of a session that ends without close_notify.
  if (broken_.code == Errc::ok) {
    SSL_set_shutdown(session_.get(), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
  }
  const bool orderly =
      shut_down_ && !is_reset_at_end() && failure() == Errc::ok && wire_.failure().code == Errc::ok;
  if (orderly && wire_.anything_unsent()) {
    spawn(drain(wire_.take_tcp(), wire_.take_unsent(), timers_));
  }
}

Result<> TlsStream::advance_handshake() {
  if (failure() != Errc::ok) return failure();
  if (broken_.code != Errc::ok) return broken_;
  PORTERO_ASSERT(!established_);
  ERR_clear_error();
  const int result = SSL_do_handshake(session_.get());
  if (result != 1) {
    const Error error = take_error(result, Errc::tls_handshake);
    wire_.flush();  // our flight, or the alert that says what is wrong
    return error;
  }
  established_ = true;
  wire_.set_gathering(false);
  // In TLS 1.3 nobody waits for the server's ticket or, before its first data, for the client's
  // Finished: they share a send with what is written next.
  const bool can_wait = SSL_version(session_.get()) == TLS1_3_VERSION;
  hold_until_write_ = can_wait && SSL_is_server(session_.get()) == 1;
  if (!can_wait) wire_.flush();
  return {};
}

Result<std::size_t> TlsStream::try_read(MutableBytes into) {
  if (failure() != Errc::ok) return failure();
  if (broken_.code != Errc::ok) return broken_;
  PORTERO_ASSERT(established_ && !into.empty());
  if (!hold_until_write_ && wire_.anything_unsent()) wire_.flush();
  SSL* const session = session_.get();
  if (wire_.drained() && SSL_has_pending(session) == 0) return Errc::would_block;
  for (int i = 0; i < silent_reads_max; ++i) {
    std::size_t count = 0;
    const int result = SSL_read_ex(session, into.data(), into.size(), &count);
    if (result == 1) {
      // The socket will not report again what OpenSSL holds already.
      if (SSL_has_pending(session) == 1) readable().signal();
      return count;
    }
    const Error error = take_error(result, Errc::tls_protocol);
    if (error == Errc::ok) return 0;  // close_notify
    if (error != Errc::would_block || wire_.starved()) return error;
  }
  broken_ = Errc::flood;
  return broken_;
}

Result<std::size_t> TlsStream::try_write(std::span<const Bytes> parts) {
  if (failure() != Errc::ok) return failure();
  if (broken_.code != Errc::ok) return broken_;
  PORTERO_ASSERT(established_);
  if (shut_down_) return Errc::cancelled;
  if (wire_.failure().code != Errc::ok) return wire_.failure();
  if (wire_.blocked()) return Errc::would_block;
  hold_until_write_ = false;
  std::size_t taken = 0;
  RecordCutter cutter(parts);
  for (Bytes record = cutter.next(); !record.empty(); record = cutter.next()) {
    std::size_t count = 0;
    const int result = SSL_write_ex(session_.get(), record.data(), record.size(), &count);
    if (result != 1) return take_error(result, Errc::tls_protocol);
    taken += count;
    if (wire_.blocked()) break;
  }
  return taken;
}

void TlsStream::shutdown_write() noexcept {
  if (shut_down_) return;
  shut_down_ = true;
  if (established_ && broken_.code == Errc::ok) {
    SSL_shutdown(session_.get());
    ERR_clear_error();
  }
  wire_.end();
}

bool TlsStream::peer_gone() const noexcept { return wire_.peer_gone(); }

// Turns a failed call into an Error and remembers it unless it passes.
Error TlsStream::take_error(int result, Errc otherwise) noexcept {
  waits_for_name_ = SSL_get_error(session_.get(), result) == SSL_ERROR_WANT_CLIENT_HELLO_CB;
  if (waits_for_name_) return Errc::would_block;
  if (SSL_get_error(session_.get(), result) == SSL_ERROR_WANT_READ) return Errc::would_block;
  if (SSL_get_error(session_.get(), result) == SSL_ERROR_ZERO_RETURN) return Errc::ok;
  failure_text_ = last_reason();
  ERR_clear_error();
  if (wire_.failure().code != Errc::ok) {
    broken_ = wire_.failure();
  } else if (wire_.ended()) {
    broken_ = Errc::end_of_stream;
  } else {
    broken_ = otherwise;
  }
  const bool verifies = SSL_get_verify_mode(session_.get()) != SSL_VERIFY_NONE;
  const long verdict = SSL_get_verify_result(session_.get());
  if (!established_ && verifies && verdict != X509_V_OK) {
    failure_text_ = X509_verify_cert_error_string(verdict);
    broken_ = Errc::tls_certificate;
  }
  return broken_;
}

void TlsStream::on_ready(std::uint32_t epoll_events) noexcept {
  if ((epoll_events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) {
    wire_.on_writable();
    writable().signal();
  }
  if ((epoll_events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) readable().signal();
  if ((epoll_events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) note_peer_end();
}

std::string_view TlsStream::protocol() const noexcept {
  const unsigned char* name = nullptr;
  unsigned size = 0;
  SSL_get0_alpn_selected(session_.get(), &name, &size);
  return {reinterpret_cast<const char*>(name), size};
}

std::string_view TlsStream::server_name() const noexcept {
  const char* const name = SSL_get_servername(session_.get(), TLSEXT_NAMETYPE_host_name);
  return name == nullptr ? std::string_view() : name;
}

std::string_view TlsStream::version() const noexcept { return SSL_get_version(session_.get()); }

std::string_view TlsStream::cipher() const noexcept {
  const char* const name = SSL_get_cipher_name(session_.get());
  return name == nullptr ? std::string_view() : name;
}

TlsStream::ClientIdentity TlsStream::client_identity() const {
  X509* const certificate = SSL_get0_peer_certificate(session_.get());
  if (certificate == nullptr) return {};
  ClientIdentity identity;
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest{};
  unsigned size = 0;
  if (X509_digest(certificate, EVP_sha256(), digest.data(), &size) == 1) {
    constexpr std::string_view digits = "0123456789abcdef";
    for (unsigned i = 0; i < size; ++i) {
      identity.fingerprint += digits[digest[i] >> 4];
      identity.fingerprint += digits[digest[i] & 15];
    }
  }
  const std::unique_ptr<BIO, decltype(&BIO_free)> text(BIO_new(BIO_s_mem()), &BIO_free);
  if (text != nullptr && X509_NAME_print_ex(text.get(), X509_get_subject_name(certificate), 0,
                                            XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
    const char* data = nullptr;
    const long length = BIO_get_mem_data(text.get(), &data);
    if (length > 0) identity.subject.assign(data, static_cast<std::size_t>(length));
  }
  return identity;
}

bool TlsStream::resumed() const noexcept { return SSL_session_reused(session_.get()) == 1; }

Task<Result<std::unique_ptr<TlsStream>>> accept_tls(std::unique_ptr<TcpStream> tcp,
                                                    ServerContext& context, AcceptOptions options) {
  const std::int64_t deadline_ms = coarse_clock().monotonic_ms + options.timeout.count();
  {
    Deadline deadline(*tcp);
    deadline.arm(options.timers, options.timeout, Errc::timeout_handshake);
    co_await tcp->readable();
  }
  if (tcp->failure() != Errc::ok) {
    log_refusal(options, tcp->failure(), "nothing was sent");
    co_return tcp->failure();
  }
  const std::int64_t left_ms = std::max<std::int64_t>(deadline_ms - coarse_clock().monotonic_ms, 0);
  auto stream = std::make_unique<TlsStream>(std::move(tcp), context.make_session(), options.timers);
  stream->set_client(options.client);
  Deadline deadline(stream->tcp());
  deadline.arm(options.timers, Milliseconds(left_ms), Errc::timeout_handshake);
  const Result<> done = co_await finish_accept(*stream, context.name_gate(), deadline, options);
  if (!done) {
    log_refusal(options, done.error(), stream->failure_text());
    co_return done.error();
  }
  co_return std::move(stream);
}

Task<Result<std::unique_ptr<TlsStream>>> connect_tls(std::unique_ptr<TcpStream> tcp,
                                                     ClientContext& context,
                                                     std::string server_name, TimerWheel& timers,
                                                     Milliseconds timeout) {
  auto stream =
      std::make_unique<TlsStream>(std::move(tcp), context.make_session(server_name), timers);
  Deadline deadline(stream->tcp());
  deadline.arm(timers, timeout, Errc::timeout_connect);
  const Result<> done = co_await finish_handshake(*stream);
  if (!done) {
    log::warn("tls.connect_failed", log::kv("server_name", server_name),
              log::kv("error", done.error()), log::kv("reason", stream->failure_text()));
    co_return done.error();
  }
  co_return std::move(stream);
}

}  // namespace portero::net
