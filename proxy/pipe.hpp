// Pipe: where bytes stay inside the kernel on their way from one socket to another (splice(2)).
// A few are kept per thread. Thread: the worker's.
#pragma once

#include <cstdint>

#include "base/fd.hpp"
#include "base/result.hpp"

namespace portero::proxy {

class Pipe {
 public:
  static constexpr int bytes_wanted = 256 * 1024;

  Pipe();
  // An empty pipe is kept for the next.
  ~Pipe();
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;

  bool is_open() const noexcept { return out_.is_open(); }
  std::size_t held() const noexcept { return held_; }
  // Moves up to `bytes_max` bytes from a socket into the pipe; 0 at the socket's end.
  // Errors: would_block, as a read of the socket.
  Result<std::size_t> take(int socket, std::uint64_t bytes_max) noexcept;
  // Moves bytes on into a socket. Errors: would_block, as a write to the socket.
  Result<std::size_t> give(int socket) noexcept;

 private:
  Fd out_;  // the reading end
  Fd in_;
  std::size_t held_ = 0;
};

}  // namespace portero::proxy
