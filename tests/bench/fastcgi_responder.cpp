// A FastCGI responder that does nothing: answers every request with the same 20 bytes, so that the
// server before it is what the load fills (a PHP process needs three times as long as that server).
// Usage: fastcgi_responder /path/of.sock
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/fd.hpp"

namespace {

using portero::Fd;

constexpr std::size_t head_bytes = 8;
constexpr char stdin_type = 5;

struct Connection {
  Fd socket;
  std::string input;
};

// A record of the answer: version 1, request 1, no padding.
std::string record(char type, std::string_view content) {
  std::string out{1, type, 0, 1, 0, static_cast<char>(content.size()), 0, 0};
  return out += content;
}

// Takes whole records off `input`; returns how many requests have ended (an empty stdin record).
std::size_t take_requests(std::string& input) {
  std::size_t requests = 0;
  std::size_t at = 0;
  while (input.size() - at >= head_bytes) {
    const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(input[at + i]); };
    const std::size_t content = byte(4) * 256U + byte(5);
    const std::size_t size = head_bytes + content + byte(6);
    if (input.size() - at < size) break;
    if (input[at + 1] == stdin_type && content == 0) ++requests;
    at += size;
  }
  input.erase(0, at);
  return requests;
}

Fd listen_at(const char* path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  std::snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
  Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  ::unlink(path);
  if (::bind(listener.get(), reinterpret_cast<sockaddr*>(&address), sizeof address) != 0 ||
      ::listen(listener.get(), 1024) != 0) {
    std::perror(path);
    return Fd();
  }
  return listener;
}

// Whether the connection stays open.
bool serve(Connection& connection, std::string_view answer) {
  std::array<char, 64 * 1024> room;
  const ssize_t got = ::recv(connection.socket.get(), room.data(), room.size(), 0);
  if (got <= 0) return false;
  connection.input.append(room.data(), static_cast<std::size_t>(got));
  for (std::size_t left = take_requests(connection.input); left != 0; --left) {
    const ssize_t sent =
        ::send(connection.socket.get(), answer.data(), answer.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(answer.size())) return false;
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: fastcgi_responder PATH\n");
    return 2;
  }
  const Fd listener = listen_at(argv[1]);
  const Fd epoll(::epoll_create1(EPOLL_CLOEXEC));
  if (!listener.is_open()) return 1;
  const auto watch = [&](int fd) {
    epoll_event event{EPOLLIN, {.fd = fd}};
    ::epoll_ctl(epoll.get(), EPOLL_CTL_ADD, fd, &event);
  };
  watch(listener.get());
  const std::string answer = record(6, "Content-Type: text/plain\r\n\r\nok 7, the second page") +
                             record(6, "") + record(3, std::string(8, '\0'));
  std::vector<Connection> connections;
  for (;;) {
    std::array<epoll_event, 64> events;
    const int count = ::epoll_wait(epoll.get(), events.data(), events.size(), -1);
    for (int i = 0; i < count; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      if (fd == listener.get()) {
        const int accepted = ::accept4(fd, nullptr, nullptr, SOCK_CLOEXEC);
        if (accepted < 0) continue;
        connections.resize(std::max(connections.size(), static_cast<std::size_t>(accepted) + 1));
        connections[static_cast<std::size_t>(accepted)] = {Fd(accepted), {}};
        watch(accepted);
        continue;
      }
      Connection& connection = connections[static_cast<std::size_t>(fd)];
      if (!serve(connection, answer)) connection = {};
    }
  }
}
