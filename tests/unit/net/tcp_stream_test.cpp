#include "net/tcp_stream.hpp"

#include <sys/epoll.h>
#include <sys/socket.h>

#include <array>
#include <cstdlib>
#include <optional>
#include <string>

#include <doctest/doctest.h>

using portero::Errc;
using portero::Fd;
using portero::net::Loop;
using portero::net::SocketKind;
using portero::net::TcpStream;

namespace {

// Our end of a pair of unix sockets, and what the loop is told about it.
class Pair final : private portero::net::IoWatch {
 public:
  Pair() {
    int fds[2] = {};
    if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) {
      std::abort();
    }
    peer_ = Fd(fds[1]);
    stream_.emplace(loop_, Fd(fds[0]), SocketKind::local);
    stream_->set_follower(this);
    turn();
  }
  ~Pair() { stream_->set_follower(nullptr); }

  TcpStream& stream() { return *stream_; }
  // What a turn of the loop reports.
  std::uint32_t turn() {
    events_ = 0;
    loop_.run_once(0);
    return events_;
  }
  // Whether everything was taken.
  bool write(const std::string& text) {
    const portero::Bytes parts[] = {text};
    const portero::Result<std::size_t> sent = stream_->try_write(parts);
    if (!sent) CHECK(sent.error() == Errc::would_block);
    return sent && *sent == text.size();
  }
  void let_peer_read() {
    std::array<char, 64 * 1024> room;
    while (::recv(peer_.get(), room.data(), room.size(), 0) > 0) {
    }
  }
  void let_peer_write(const std::string& text) {
    CHECK(::send(peer_.get(), text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
  }
  void close_peer() { peer_ = Fd(); }

 private:
  void on_ready(std::uint32_t epoll_events) noexcept override { events_ |= epoll_events; }

  Loop loop_;
  Fd peer_;
  std::optional<TcpStream> stream_;
  std::uint32_t events_ = 0;
};

}  // namespace

TEST_CASE("tcp_stream: a unix socket does not wake the loop when its peer has read") {
  Pair pair;
  CHECK(pair.write("a request"));
  pair.let_peer_read();
  CHECK(pair.turn() == 0);
  pair.let_peer_write("an answer");
  CHECK((pair.turn() & EPOLLIN) != 0);
}

TEST_CASE("tcp_stream: a unix socket that was full tells when there is space") {
  Pair pair;
  const std::string piece(64 * 1024, 'x');
  int pieces = 0;
  while (pair.write(piece) && pieces < 1'000) ++pieces;
  REQUIRE(pieces < 1'000);
  while (pair.write("x")) {
  }
  pair.turn();
  pair.let_peer_read();
  CHECK((pair.turn() & EPOLLOUT) != 0);
  CHECK(pair.write(piece));
}

TEST_CASE("tcp_stream: whoever wants to know when the peer has read is told, for as long") {
  Pair pair;
  pair.stream().report_space(true);
  pair.turn();
  CHECK(pair.write("a"));
  CHECK(pair.turn() == 0);
  pair.let_peer_read();
  CHECK((pair.turn() & EPOLLOUT) != 0);
  pair.stream().report_space(false);
  CHECK(pair.write("b"));
  pair.let_peer_read();
  CHECK(pair.turn() == 0);
}

TEST_CASE("tcp_stream: a unix socket's peer that closes is noticed, space or not") {
  Pair pair;
  pair.close_peer();
  CHECK((pair.turn() & EPOLLRDHUP) != 0);
  CHECK(pair.stream().peer_gone());
}
