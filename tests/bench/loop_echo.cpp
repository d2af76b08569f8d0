// Compares three event loops on one task: echo 128 bytes over loopback TCP on 64 sockets.
//   loop       portero's own: edge-triggered, registered once, own Task
//   asio-wait  Boost.Asio: async_wait before each read (an idle socket holds no buffer)
//   asio-read  Boost.Asio: async_read_some into a buffer that each socket keeps, asio::awaitable
// Prints the server thread's CPU µs per message for each; the client runs in the main thread.
// Usage: loop_echo [messages per run, default 400000]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <thread>
#include <vector>

#include <boost/asio/awaitable.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/impl/src.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include "net/tcp_stream.hpp"

namespace asio = boost::asio;

namespace {

constexpr std::size_t sockets = 64;
constexpr std::size_t message_bytes = 128;

double thread_cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Pairs {
  std::vector<int> server;
  std::vector<int> client;
};

Pairs connect_pairs() {
  Pairs pairs;
  portero::Fd listener(::socket(AF_INET, SOCK_STREAM, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  ::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address);
  ::listen(listener.get(), 128);
  ::getsockname(listener.get(), reinterpret_cast<sockaddr*>(&address), &size);
  for (std::size_t i = 0; i < sockets; ++i) {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    ::connect(client, reinterpret_cast<sockaddr*>(&address), sizeof address);
    const int server = ::accept4(listener.get(), nullptr, nullptr, SOCK_NONBLOCK);
    const int on = 1;
    ::setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    pairs.client.push_back(client);
    pairs.server.push_back(server);
  }
  return pairs;
}

// Keeps one message under way on every socket until `messages` have come back, then closes.
void run_client(const std::vector<int>& fds, long messages) {
  std::array<char, message_bytes> text{};
  std::vector<pollfd> polls;
  for (const int fd : fds) {
    polls.push_back({fd, POLLIN, 0});
    (void)!::send(fd, text.data(), text.size(), 0);
  }
  while (messages > 0) {
    ::poll(polls.data(), polls.size(), -1);
    for (pollfd& entry : polls) {
      if (entry.revents == 0) continue;
      (void)!::recv(entry.fd, text.data(), text.size(), 0);
      --messages;
      (void)!::send(entry.fd, text.data(), text.size(), 0);
    }
  }
  for (const int fd : fds) ::close(fd);
}

portero::Task<> echo(std::unique_ptr<portero::net::TcpStream> stream, int& open) {
  std::array<char, 1024> room;
  for (;;) {
    const auto got = co_await portero::net::read_some(*stream, room);
    if (!got || *got == 0) break;
    const auto sent = co_await portero::net::write_all(*stream, {room.data(), *got});
    if (!sent) break;
  }
  --open;
}

void serve_loop(const std::vector<int>& fds) {
  portero::net::Loop loop;
  int open = static_cast<int>(fds.size());
  for (const int fd : fds) {
    portero::spawn(echo(std::make_unique<portero::net::TcpStream>(loop, portero::Fd(fd)), open));
  }
  while (open > 0) loop.run_once(1000);
}

using Socket = asio::basic_stream_socket<asio::ip::tcp, asio::io_context::executor_type>;
using Awaitable = asio::awaitable<void, asio::io_context::executor_type>;

Awaitable echo_asio(Socket socket, bool wait_first) {
  constexpr asio::use_awaitable_t<asio::io_context::executor_type> use{};
  std::array<char, 1024> room;
  for (;;) {
    boost::system::error_code ec;
    if (wait_first) co_await socket.async_wait(Socket::wait_read, asio::redirect_error(use, ec));
    const std::size_t got =
        co_await socket.async_read_some(asio::buffer(room), asio::redirect_error(use, ec));
    if (ec) co_return;
    co_await asio::async_write(socket, asio::buffer(room.data(), got),
                               asio::redirect_error(use, ec));
    if (ec) co_return;
  }
}

void serve_asio(const std::vector<int>& fds, bool wait_first) {
  asio::io_context io{BOOST_ASIO_CONCURRENCY_HINT_UNSAFE_IO};
  for (const int fd : fds) {
    asio::co_spawn(io, echo_asio(Socket(io, asio::ip::tcp::v4(), fd), wait_first), asio::detached);
  }
  io.run();
}

template <class Serve>
double measure(long messages, Serve serve) {
  const Pairs pairs = connect_pairs();
  double cpu_us = 0;
  std::thread server([&] {
    const double before = thread_cpu_us();
    serve(pairs.server);
    cpu_us = thread_cpu_us() - before;
  });
  run_client(pairs.client, messages);
  server.join();
  return cpu_us / static_cast<double>(messages);
}

}  // namespace

int main(int argc, char** argv) {
  const long messages = argc > 1 ? std::atol(argv[1]) : 400'000;
  for (int round = 0; round < 3; ++round) {
    const double own = measure(messages, [](const auto& fds) { serve_loop(fds); });
    const double wait = measure(messages, [](const auto& fds) { serve_asio(fds, true); });
    const double read = measure(messages, [](const auto& fds) { serve_asio(fds, false); });
    std::printf("loop %.2f  asio-wait %.2f  asio-read %.2f  CPU us per echo\n", own, wait, read);
  }
}
