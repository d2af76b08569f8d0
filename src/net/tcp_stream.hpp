// A connected TCP or unix stream socket as a ByteStream.
// A read that returns less than was asked for has emptied the socket: the next try_read then says
// would_block without a system call until epoll reports more (edge-triggered), so a keep-alive
// request costs one recv.
//
// Unix sockets are told of space only while somebody wants it: the kernel reports it whenever the
// peer has read anything, which would wake the loop once more for every request.
// Thread: the worker whose loop it is registered with; destroyed there.
#pragma once

#include "base/fd.hpp"
#include "net/byte_stream.hpp"
#include "net/loop.hpp"

namespace portero::net {

enum class SocketKind : std::uint8_t { tcp, local };

class TcpStream final : public ByteStream, private IoWatch {
 public:
  // Takes a non-blocking connected (or connecting) socket and registers it.
  TcpStream(Loop& loop, Fd socket, SocketKind kind = SocketKind::tcp);
  ~TcpStream() override;

  Result<std::size_t> try_read(MutableBytes into) override;
  Result<std::size_t> try_write(std::span<const Bytes> parts) override;
  void shutdown_write() noexcept override;
  bool peer_gone() const noexcept override { return peer_gone_; }

  int raw_fd() const noexcept override { return socket_.get(); }
  int fd() const noexcept { return socket_.get(); }
  // Whether bytes or an end may be waiting; false after a read that emptied the socket.
  bool maybe_readable() const noexcept { return maybe_readable_; }
  // Tells `follower` too when the socket becomes ready: a stream on top of this one (TLS) has wait
  // points of its own. The follower outlives this stream or resets itself with nullptr.
  void set_follower(IoWatch* follower) noexcept { follower_ = follower; }
  // Whether the loop is told when there is space again, for unix sockets also whenever the peer has
  // read. try_write() that would block switches it on.
  void report_space(bool on) noexcept;

 private:
  void on_ready(std::uint32_t epoll_events) noexcept override;

  Loop& loop_;
  Fd socket_;
  IoWatch* follower_ = nullptr;
  const SocketKind kind_;
  bool reports_space_;
  bool maybe_readable_ = true;
  bool peer_closed_ = false;  // FIN seen: a short read does not mean "empty" any more
  bool peer_gone_ = false;
};

}  // namespace portero::net
