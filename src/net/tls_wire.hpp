// What lies between OpenSSL and a socket: a BIO over a TcpStream. It always takes the ciphertext it
// is given; what the socket has no room for waits here and leaves when the socket becomes writable.
// So OpenSSL never stops in the middle of a record, never has to be called again with the same
// bytes, and reading never waits for writing or the other way round.
// Thread: the worker's. Owner: TlsStream; does not move (the BIO points to it).
// Limits: one flight of a handshake or one record beyond what the socket took.
#pragma once

#include <memory>

#include "base/buffer.hpp"
#include "net/dial.hpp"
#include "net/tcp_stream.hpp"

struct bio_st;

namespace portero::net {

class TlsWire {
 public:
  explicit TlsWire(std::unique_ptr<TcpStream> tcp) noexcept : tcp_(std::move(tcp)) {}
  TlsWire(const TlsWire&) = delete;
  TlsWire& operator=(const TlsWire&) = delete;

  // A BIO whose other end is this wire; the caller owns it. nullptr: out of memory.
  bio_st* make_bio();

  // While gathering, ciphertext waits for flush(): one send for a whole flight.
  void set_gathering(bool on) noexcept { gathering_ = on; }
  // Sends what waits. Afterwards either nothing waits, or blocked(), or failure().
  void flush() noexcept;
  // The socket has room again.
  void on_writable() noexcept;
  // FIN, as soon as everything has left.
  void end() noexcept;

  bool blocked() const noexcept { return blocked_; }  // the socket is full and bytes wait
  bool anything_unsent() const noexcept { return !unsent_.empty(); }
  bool drained() const noexcept { return !tcp_->maybe_readable(); }
  bool peer_gone() const noexcept { return tcp_->peer_gone(); }
  bool starved() const noexcept { return starved_; }  // the last read found nothing
  bool ended() const noexcept { return ended_; }      // the peer's FIN was read
  const Error& failure() const noexcept { return failure_; }

  SocketAddress local_address() const noexcept;
  // Who the client is, which a PROXY header may have said.
  const IpAddress& client() const noexcept { return client_; }
  void set_client(const IpAddress& client) noexcept { client_ = client; }
  TcpStream& tcp() noexcept { return *tcp_; }
  std::unique_ptr<TcpStream> take_tcp() noexcept { return std::move(tcp_); }
  Buffer take_unsent() noexcept { return std::move(unsent_); }

  // Called by OpenSSL through the BIO.
  Result<std::size_t> read(MutableBytes into) noexcept;
  Result<> write(Bytes ciphertext) noexcept;

 private:
  std::unique_ptr<TcpStream> tcp_;
  IpAddress client_{};
  Buffer unsent_;
  Error failure_ = Errc::ok;
  bool gathering_ = false;
  bool blocked_ = false;
  bool starved_ = false;
  bool ended_ = false;
  bool fin_wanted_ = false;
};

}  // namespace portero::net
