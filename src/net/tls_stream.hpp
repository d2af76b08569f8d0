// A TLS session over a TcpStream as a ByteStream, server or client side. OpenSSL is driven straight
// on the non-blocking socket and seen by nobody outside tls_*.
//
// Cost: one recv serves header and payload of a record; the parts of one try_write become one
// record and one send; an idle session holds no buffer. The ticket of a TLS 1.3 handshake leaves
// with the first data that is written.
// Thread: the worker's. Owner: whoever owns a stream. Source: RFC 8446, RFC 5246.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/ip_address.hpp"
#include "net/tcp_stream.hpp"
#include "net/tls_context.hpp"
#include "net/tls_wire.hpp"

namespace portero::net {

class TlsStream final : public ByteStream, private IoWatch {
 public:
  TlsStream(std::unique_ptr<TcpStream> tcp, TlsSession session, TimerWheel& timers);
  ~TlsStream() override;

  Result<std::size_t> try_read(MutableBytes into) override;
  // Once the bytes are taken they leave by themselves, also after shutdown_write() and destruction.
  Result<std::size_t> try_write(std::span<const Bytes> parts) override;
  void shutdown_write() noexcept override;
  bool peer_gone() const noexcept override;

  // Goes on with the handshake. Errors: would_block (wait for readable()), tls_handshake,
  // tls_certificate, end_of_stream, connection_reset, what cancel() said.
  Result<> advance_handshake();

  // Whether advance_handshake() waits for the NameGate rather than for the client.
  bool waits_for_name() const noexcept { return waits_for_name_; }

  // What was agreed on; texts live as long as the stream.
  std::string_view protocol() const noexcept;     // ALPN: "h2", "http/1.1", "" = none
  std::string_view server_name() const noexcept;  // SNI, "" = none
  std::string_view version() const noexcept;      // "TLSv1.3"
  std::string_view cipher() const noexcept;       // "TLS_AES_128_GCM_SHA256"
  bool resumed() const noexcept;

  // What the client has shown of itself, which the context has verified as its policy says. Text is
  // of the subject (RFC 2253) and SHA-256 of the certificate; both "" when there is none.
  struct ClientIdentity {
    std::string subject;
    std::string fingerprint;
  };
  ClientIdentity client_identity() const;

  void set_client(const IpAddress& client) noexcept { wire_.set_client(client); }
  TcpStream& tcp() noexcept { return wire_.tcp(); }
  // Why the handshake failed, for the log; "" when it is not known.
  std::string_view failure_text() const noexcept { return failure_text_; }

 private:
  void on_ready(std::uint32_t epoll_events) noexcept override;
  Error take_error(int result, Errc otherwise) noexcept;

  TlsWire wire_;
  TlsSession session_;
  TimerWheel& timers_;
  Error broken_ = Errc::ok;        // what every later call returns
  const char* failure_text_ = "";  // a constant of OpenSSL's
  bool established_ = false;
  bool waits_for_name_ = false;
  bool shut_down_ = false;
  bool hold_until_write_ = false;  // a ticket waits for company
};

// How a handshake is accepted.
struct AcceptOptions {
  TimerWheel& timers;
  Milliseconds timeout;                // from the connection to the end of the handshake
  IpAddress client{};                  // for the log
  Milliseconds name_timeout{120'000};  // for one whose name the NameGate lets wait
};

// Accepts a handshake. The session is made when the client's first bytes have come, so a client
// that connects and stays silent costs a socket. A failure is logged here. Errors:
// timeout_handshake, tls_handshake, end_of_stream, connection_reset.
Task<Result<std::unique_ptr<TlsStream>>> accept_tls(std::unique_ptr<TcpStream> tcp,
                                                    ServerContext& context, AcceptOptions options);

// Connects to a server that must prove to be `server_name`. Errors: timeout_connect,
// tls_certificate, tls_handshake, end_of_stream, connection_reset.
Task<Result<std::unique_ptr<TlsStream>>> connect_tls(std::unique_ptr<TcpStream> tcp,
                                                     ClientContext& context,
                                                     std::string server_name, TimerWheel& timers,
                                                     Milliseconds timeout);

}  // namespace portero::net
