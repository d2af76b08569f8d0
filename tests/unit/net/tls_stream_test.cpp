#include "net/tls_stream.hpp"

#include <doctest/doctest.h>

#include "net/crypto.hpp"
#include "unit/net/tls_fixture.hpp"

using namespace portero;
using namespace portero::net;
using namespace portero::net::test;

namespace {

// Passes bytes between two sockets in pieces of `piece` bytes: the worst network there is.
class Relay {
 public:
  Relay(Fd a, Fd b, std::size_t piece) : a_(std::move(a)), b_(std::move(b)), piece_(piece) {}

  void step() {
    pass(a_.get(), b_.get());
    pass(b_.get(), a_.get());
  }

 private:
  void pass(int from, int to) const {
    char block[64];
    const ssize_t got = ::recv(from, block, std::min(piece_, sizeof block), MSG_DONTWAIT);
    if (got > 0) REQUIRE(::send(to, block, static_cast<std::size_t>(got), MSG_NOSIGNAL) == got);
    if (got == 0) ::shutdown(to, SHUT_WR);
  }

  Fd a_;
  Fd b_;
  std::size_t piece_;
};

std::string read_now(ByteStream& stream) {
  std::string out;
  char block[40'000];
  for (;;) {
    const Result<std::size_t> got = stream.try_read(block);
    if (!got || *got == 0) return out;
    out.append(block, *got);
  }
}

}  // namespace

TEST_CASE("tls_stream: shakes hands and talks through a network that delivers single bytes") {
  TlsPair pair;
  for (const std::size_t piece : {std::size_t{1}, std::size_t{7}, std::size_t{64}}) {
    SocketPair left = make_socket_pair();
    SocketPair right = make_socket_pair();
    Relay relay(std::move(left.server), std::move(right.client), piece);
    Handshake client = Errc::would_block;
    Handshake server = Errc::would_block;
    spawn(accept_into(std::make_unique<TcpStream>(pair.loop, std::move(right.server)), pair.context,
                      pair.loop, server));
    spawn(connect_into(std::make_unique<TcpStream>(pair.loop, std::move(left.client)),
                       *pair.client_context, "a.test", pair.loop, client));
    std::string received;
    bool sent = false;
    Error error = Errc::ok;
    bool writing = false;
    bool reading = false;
    for (int i = 0; i < 20'000 && received.size() < 300; ++i) {
      relay.step();
      pair.loop.run_once(0);
      if (client && !writing) {
        writing = true;
        spawn(send_all(**client, std::string(300, 'x'), sent));
      }
      if (server && !reading) {
        reading = true;
        spawn(read_exactly(**server, 300, received, error));
      }
    }
    CHECK(received == std::string(300, 'x'));
  }
}

TEST_CASE("tls_stream: the parts of a write become one record, in order") {
  TlsPair pair;
  pair.shake_hands();
  const std::string body(3000, 'b');
  const Bytes parts[] = {"head", "", body, "tail"};
  const Result<std::size_t> taken = (*pair.server)->try_write(parts);
  REQUIRE(taken.has_value());
  CHECK(*taken == 3008);
  pair.loop.run_once(0);
  char block[40'000];
  const Result<std::size_t> got = (*pair.client)->try_read(block);
  REQUIRE(got.has_value());
  CHECK(std::string(block, *got) == "head" + body + "tail");
}

TEST_CASE("tls_stream: parts are cut into records at any size") {
  TlsPair pair;
  pair.shake_hands();
  for (const std::size_t size : {1UL, 16'383UL, 16'384UL, 16'385UL, 40'000UL}) {
    const std::string body = random_bytes(size);
    const Bytes parts[] = {"a", body, "", "z", body};
    const Result<std::size_t> taken = (*pair.server)->try_write(parts);
    REQUIRE(taken.has_value());
    CHECK(*taken == 2 * size + 2);
    pair.loop.run_once(0);
    CHECK(read_now(**pair.client) == "a" + body + "z" + body);
  }
}

TEST_CASE("tls_stream: a write of nothing is no record") {
  TlsPair pair;
  pair.shake_hands();
  const Bytes parts[] = {"", ""};
  const Result<std::size_t> taken = (*pair.server)->try_write(parts);
  REQUIRE(taken.has_value());
  CHECK(*taken == 0);
}

TEST_CASE("tls_stream: reading into little room loses no wake-up") {
  TlsPair pair;
  pair.shake_hands();
  bool sent = false;
  spawn(send_all(**pair.client, std::string(1000, 'x'), sent));
  pair.loop.run_once(0);
  // A reader that waits before each read, though the record came as a whole.
  struct Reader {
    static Task<> run(ByteStream& stream, std::size_t& count) {
      char small[10];
      while (count < 1000) {
        co_await stream.readable();
        const Result<std::size_t> got = stream.try_read(small);
        if (got) count += *got;
      }
    }
  };
  std::size_t count = 0;
  spawn(Reader::run(**pair.server, count));
  CHECK(pair.run([&] { return count == 1000; }));
}

TEST_CASE("tls_stream: large transfers pass both ways at once through small sockets") {
  TlsPair pair;
  pair.shake_hands("a.test", 8 * 1024);
  REQUIRE(pair.client.has_value());
  REQUIRE(pair.server.has_value());
  const std::string up = random_bytes(1'500'000);
  const std::string down = random_bytes(1'500'000);
  std::string got_up;
  std::string got_down;
  bool sent_up = false;
  bool sent_down = false;
  Error error = Errc::ok;
  spawn(read_exactly(**pair.server, up.size(), got_up, error));
  spawn(read_exactly(**pair.client, down.size(), got_down, error));
  spawn(send_all(**pair.client, up, sent_up));
  spawn(send_all(**pair.server, down, sent_down));
  pair.run([&] { return got_up.size() >= up.size() && got_down.size() >= down.size(); }, 100'000);
  CHECK(sent_up);
  CHECK(sent_down);
  CHECK(got_up == up);
  CHECK(got_down == down);
}

TEST_CASE("tls_stream: a writer is stopped by a peer that does not read") {
  TlsPair pair;
  pair.shake_hands("a.test", 8 * 1024);
  const std::string block(16'384, 'x');
  const Bytes parts[] = {block};
  std::size_t taken = 0;
  Error stopped = Errc::ok;
  for (int i = 0; i < 1000 && stopped == Errc::ok; ++i) {
    const Result<std::size_t> wrote = (*pair.server)->try_write(parts);
    if (wrote) taken += *wrote;
    if (!wrote) stopped = wrote.error();
  }
  CHECK(stopped == Errc::would_block);
  CHECK(taken < 500'000);
}

TEST_CASE("tls_stream: bytes that were taken arrive although the writer has closed and gone") {
  TlsPair pair;
  pair.shake_hands("a.test", 8 * 1024);
  const std::string data = random_bytes(64'000);
  std::size_t taken = 0;
  const Bytes parts[] = {data};
  taken = *(*pair.server)->try_write(parts);
  (*pair.server)->shutdown_write();
  pair.server = Errc::cancelled;
  std::string received;
  Error error = Errc::ok;
  spawn(read_exactly(**pair.client, data.size(), received, error));
  pair.run([&] { return received.size() >= taken; });
  for (int i = 0; i < 10; ++i) pair.loop.run_once(0);
  CHECK(received == data.substr(0, taken));
  CHECK(error == Errc::ok);  // close_notify came too: an orderly end
}

TEST_CASE("tls_stream: close_notify is an orderly end, and the other half still works") {
  TlsPair pair;
  pair.shake_hands();
  (*pair.client)->shutdown_write();
  pair.loop.run_once(0);
  char block[100];
  const Result<std::size_t> end = (*pair.server)->try_read(block);
  REQUIRE(end.has_value());
  CHECK(*end == 0);
  CHECK(*(*pair.server)->try_read(block) == 0);
  CHECK(pair.transfer(**pair.server, **pair.client, "answer") == "answer");
  const Bytes parts[] = {"more"};
  CHECK((*pair.client)->try_write(parts).error() == Errc::cancelled);
}

TEST_CASE("tls_stream: an end without close_notify is end_of_stream, not an end") {
  TlsPair pair;
  pair.shake_hands();
  ::shutdown((*pair.client)->tcp().fd(), SHUT_WR);
  pair.loop.run_once(0);
  char block[100];
  CHECK((*pair.server)->try_read(block).error() == Errc::end_of_stream);
  CHECK((*pair.server)->try_read(block).error() == Errc::end_of_stream);
}

TEST_CASE("tls_stream: bytes that are no record are tls_protocol") {
  TlsPair pair;
  pair.shake_hands();
  const std::string noise = "HTTP/1.1 200 OK\r\n\r\nthis is not TLS";
  ::send((*pair.client)->tcp().fd(), noise.data(), noise.size(), 0);
  pair.loop.run_once(0);
  char block[100];
  CHECK((*pair.server)->try_read(block).error() == Errc::tls_protocol);
  const Bytes parts[] = {"x"};
  CHECK((*pair.server)->try_write(parts).error() == Errc::tls_protocol);
}

TEST_CASE("tls_stream: cancel ends the waits of both directions") {
  TlsPair pair;
  pair.shake_hands("a.test", 8 * 1024);
  std::string received;
  Error error = Errc::ok;
  bool sent = true;
  const std::string data(1'000'000, 'x');
  spawn(read_exactly(**pair.server, 1, received, error));
  spawn(send_all(**pair.server, data, sent));
  pair.run([] { return false; }, 20);
  (*pair.server)->cancel(Errc::timeout_idle);
  pair.run([] { return false; }, 2);
  CHECK(error == Errc::timeout_idle);
  CHECK_FALSE(sent);
}

TEST_CASE("tls_stream: a client that says nothing, or stops half way, meets the deadline") {
  for (const std::string& said : {std::string(), std::string("\x16\x03\x01\x02\x00\x01", 6)}) {
    TlsPair pair;
    SocketPair sockets = make_socket_pair();
    spawn(accept_into(std::make_unique<TcpStream>(pair.loop, std::move(sockets.server)),
                      pair.context, pair.loop, pair.server));
    if (!said.empty()) ::send(sockets.client.get(), said.data(), said.size(), 0);
    pair.run([] { return false; }, 5);
    CHECK_FALSE(TlsPair::is_settled(pair.server));
    pair.pass_time(handshake_time + Milliseconds(200));
    CHECK(pair.server.error() == Errc::timeout_handshake);
  }
}

TEST_CASE("tls_stream: a server that says nothing meets the client's deadline") {
  TlsPair pair;
  SocketPair sockets = make_socket_pair();
  spawn(connect_into(std::make_unique<TcpStream>(pair.loop, std::move(sockets.client)),
                     *pair.client_context, "a.test", pair.loop, pair.client));
  pair.run([] { return false; }, 5);
  pair.pass_time(handshake_time + Milliseconds(200));
  CHECK(pair.client.error() == Errc::timeout_connect);
}

TEST_CASE("tls_stream: a client that speaks plain HTTP is refused") {
  TlsPair pair;
  SocketPair sockets = make_socket_pair();
  spawn(accept_into(std::make_unique<TcpStream>(pair.loop, std::move(sockets.server)), pair.context,
                    pair.loop, pair.server));
  const std::string request = "GET / HTTP/1.1\r\nHost: a.test\r\n\r\n";
  ::send(sockets.client.get(), request.data(), request.size(), 0);
  pair.run([&] { return TlsPair::is_settled(pair.server); });
  CHECK(pair.server.error() == Errc::tls_handshake);
}

TEST_CASE("tls_stream: a client that leaves during the handshake is end_of_stream") {
  TlsPair pair;
  SocketPair sockets = make_socket_pair();
  spawn(accept_into(std::make_unique<TcpStream>(pair.loop, std::move(sockets.server)), pair.context,
                    pair.loop, pair.server));
  sockets.client = Fd();
  pair.loop.run_once(0);
  pair.run([&] { return TlsPair::is_settled(pair.server); });
  CHECK(pair.server.has_error());
  CHECK(pair.server.error() != Errc::timeout_handshake);
}

TEST_CASE("tls_stream: a server whose peer is gone says so") {
  TlsPair pair;
  pair.shake_hands();
  CHECK_FALSE((*pair.server)->peer_gone());
  pair.client = Errc::cancelled;
  pair.run([&] { return (*pair.server)->peer_gone(); });
  CHECK((*pair.server)->peer_gone());
}
