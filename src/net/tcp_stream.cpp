#include "net/tcp_stream.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "base/assert.hpp"

namespace portero::net {
namespace {

constexpr std::size_t parts_per_call_max = 64;

}  // namespace

TcpStream::TcpStream(Loop& loop, Fd socket, SocketKind kind)
    : loop_(loop),
      socket_(std::move(socket)),
      kind_(kind),
      reports_space_(kind == SocketKind::tcp) {
  PORTERO_ASSERT(socket_.is_open());
  const Result<> watched =
      reports_space_ ? loop.watch(fd(), *this) : loop.watch_reading(fd(), *this);
  if (!watched) cancel(Errc::too_many_descriptors);
}

TcpStream::~TcpStream() {
  if (!is_reset_at_end() || !socket_.is_open()) return;
  const linger at_once{1, 0};
  ::setsockopt(socket_.get(), SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
}

Result<std::size_t> TcpStream::try_read(MutableBytes into) {
  if (failure() != Errc::ok) return failure();
  if (!maybe_readable_) return Errc::would_block;
  PORTERO_ASSERT(!into.empty());
  ssize_t got = 0;
  do {
    got = ::recv(socket_.get(), into.data(), into.size(), 0);
  } while (got < 0 && errno == EINTR);
  if (got < 0) {
    const Error error = error_from_errno(errno);
    if (error == Errc::would_block) maybe_readable_ = false;
    return error;
  }
  const auto count = static_cast<std::size_t>(got);
  if (count != 0 && count < into.size() && !peer_closed_) maybe_readable_ = false;
  return count;
}

void TcpStream::report_space(bool on) noexcept {
  if (kind_ != SocketKind::local || on == reports_space_) return;
  reports_space_ = on;
  loop_.watch_writing(fd(), *this, on);
}

Result<std::size_t> TcpStream::try_write(std::span<const Bytes> parts) {
  if (failure() != Errc::ok) return failure();
  std::array<iovec, parts_per_call_max> vectors;
  const std::size_t count = std::min(parts.size(), vectors.size());
  for (std::size_t i = 0; i < count; ++i) {
    vectors[i] = {const_cast<char*>(parts[i].data()), parts[i].size()};
  }
  ssize_t sent = 0;
  do {
    if (count == 1) {
      sent = ::send(socket_.get(), vectors[0].iov_base, vectors[0].iov_len, MSG_NOSIGNAL);
    } else {
      msghdr message{};
      message.msg_iov = vectors.data();
      message.msg_iovlen = count;
      sent = ::sendmsg(socket_.get(), &message, MSG_NOSIGNAL);
    }
  } while (sent < 0 && errno == EINTR);
  if (sent >= 0) return static_cast<std::size_t>(sent);
  const Error error = error_from_errno(errno);
  if (error == Errc::would_block) report_space(true);
  return error;
}

void TcpStream::shutdown_write() noexcept { ::shutdown(socket_.get(), SHUT_WR); }

void TcpStream::on_ready(std::uint32_t epoll_events) noexcept {
  if ((epoll_events & (EPOLLERR | EPOLLHUP)) != 0) peer_gone_ = true;
  if ((epoll_events & (EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) {
    peer_closed_ = true;
    note_peer_end();
  }
  if ((epoll_events & (EPOLLIN | EPOLLRDHUP | EPOLLERR | EPOLLHUP)) != 0) {
    maybe_readable_ = true;
    readable().signal();
  }
  if ((epoll_events & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != 0) writable().signal();
  if (follower_ != nullptr) follower_->on_ready(epoll_events);
}

}  // namespace portero::net
