#include "proxy/pipe.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>
#include <vector>

namespace portero::proxy {
namespace {

constexpr std::size_t kept_max = 16;

using Ends = std::pair<Fd, Fd>;

std::vector<Ends>& kept_pipes() {
  static thread_local std::vector<Ends> kept;
  return kept;
}

Result<std::size_t> move_bytes(int from, int to, std::size_t bytes_max) noexcept {
  for (;;) {
    const ssize_t moved =
        ::splice(from, nullptr, to, nullptr, bytes_max, SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
    if (moved >= 0) return static_cast<std::size_t>(moved);
    if (errno != EINTR) return error_from_errno(errno);
  }
}

}  // namespace

Pipe::Pipe() {
  std::vector<Ends>& kept = kept_pipes();
  if (!kept.empty()) {
    out_ = std::move(kept.back().first);
    in_ = std::move(kept.back().second);
    kept.pop_back();
    return;
  }
  std::array<int, 2> ends{-1, -1};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) return;
  out_ = Fd(ends[0]);
  in_ = Fd(ends[1]);
  (void)::fcntl(in_.get(), F_SETPIPE_SZ, bytes_wanted);  // as far as the system allows
}

Pipe::~Pipe() {
  std::vector<Ends>& kept = kept_pipes();
  if (is_open() && held_ == 0 && kept.size() < kept_max) {
    kept.emplace_back(std::move(out_), std::move(in_));
  }
}

Result<std::size_t> Pipe::take(int socket, std::uint64_t bytes_max) noexcept {
  const std::size_t wanted = std::min<std::uint64_t>(bytes_max, bytes_wanted);
  const Result<std::size_t> moved = move_bytes(socket, in_.get(), wanted);
  if (moved) held_ += *moved;
  return moved;
}

Result<std::size_t> Pipe::give(int socket) noexcept {
  const Result<std::size_t> moved = move_bytes(out_.get(), socket, held_);
  if (moved) held_ -= *moved;
  return moved;
}

}  // namespace portero::proxy
