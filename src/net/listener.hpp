// Listening sockets: opened by control, one per worker for the same port (SO_REUSEPORT), accepted
// from by the workers.
// Thread: open_listeners() control; Listener the worker whose loop it is given.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/fd.hpp"
#include "base/result.hpp"
#include "base/timer_wheel.hpp"
#include "net/dial.hpp"
#include "net/loop.hpp"

namespace portero::net {

// Opens `count` non-blocking sockets that listen on the same address ("0.0.0.0", "[::]",
// "127.0.0.1") and port; port 0 lets the kernel choose one for all. IPv6 sockets take no IPv4.
// Errors: the address, the port and what to do about it; for a port in use also when its owner
// would share it.
Explained<std::vector<Fd>> open_listeners(const std::string& address, std::uint16_t port,
                                          unsigned count);

// The address a socket is bound to.
SocketAddress local_address(int fd) noexcept;
// The address at the other end of a connected socket.
SocketAddress peer_address(int fd) noexcept;

// Takes what a Listener accepts.
class AcceptSink {
 public:
  // `socket` is non-blocking and has TCP_NODELAY.
  virtual void on_accept(Fd socket, const SocketAddress& peer) = 0;

 protected:
  ~AcceptSink() = default;
};

class Listener final : private IoWatch {
 public:
  static constexpr int accepts_per_event_max = 64;
  static constexpr Milliseconds pause_when_out_of_descriptors{200};

  Listener(Loop& loop, Fd socket, AcceptSink& sink);
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;
  ~Listener() { stop(); }

  // Accepts what is queued already, then closes the socket: a connection that the kernel has
  // completed is served, not reset. The listener is then done.
  void stop();
  bool is_open() const noexcept { return socket_.is_open(); }
  int fd() const noexcept { return socket_.get(); }

 private:
  enum class Outcome : std::uint8_t { accepted, none_waiting, out_of_descriptors };

  void on_ready(std::uint32_t epoll_events) noexcept override;
  Outcome accept_one();
  void pause() noexcept;
  void resume() noexcept;

  Loop& loop_;
  Fd socket_;
  AcceptSink& sink_;
  Timer resume_timer_;
};

}  // namespace portero::net
