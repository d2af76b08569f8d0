// The least that sending a WebSocket frame to many sockets can cost on this machine: bare send()
// of 255-byte frames to 1,000 loopback connections, one, four or sixteen frames a call, another
// core reading. Prints one JSON line: CPU µs of the sender per frame. What a server needs per
// delivery is compared with this, because absolute figures change from machine to machine.
//
//   send_floor [--sockets 1000] [--seconds 2] [--send-core 0] [--receive-core 1]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <string>
#include <thread>
#include <vector>

#include <fmt/format.h>

namespace {

constexpr std::size_t frame_bytes = 255;
constexpr std::array<std::size_t, 3> frames_per_send{1, 4, 16};

[[noreturn]] void fail(const char* what) {
  std::fprintf(stderr, "send_floor: %s: %s\n", what, std::strerror(errno));
  std::exit(1);
}

long option(int argc, char** argv, std::string_view name, long otherwise) {
  for (int i = 1; i + 1 < argc; ++i) {
    if (name == argv[i]) return std::atol(argv[i + 1]);
  }
  return otherwise;
}

void run_on_core(long core) {
  cpu_set_t set;
  CPU_ZERO(&set);
  CPU_SET(static_cast<std::size_t>(core), &set);
  ::sched_setaffinity(0, sizeof set, &set);
}

double thread_cpu_us() {
  timespec now{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) * 1e6 + static_cast<double>(now.tv_nsec) / 1e3;
}

struct Connections {
  std::vector<int> senders;
  std::vector<int> receivers;
};

Connections connect_all(std::size_t count) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof at;
  if (::bind(listener, reinterpret_cast<sockaddr*>(&at), size) != 0 || ::listen(listener, 64) != 0)
    fail("listen");
  ::getsockname(listener, reinterpret_cast<sockaddr*>(&at), &size);
  Connections all;
  for (std::size_t i = 0; i < count; ++i) {
    const int client = ::socket(AF_INET, SOCK_STREAM, 0);
    if (::connect(client, reinterpret_cast<sockaddr*>(&at), size) != 0) fail("connect");
    const int server = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK);
    if (server < 0) fail("accept");
    const int on = 1;
    ::setsockopt(server, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    all.senders.push_back(server);
    all.receivers.push_back(client);
  }
  ::close(listener);
  return all;
}

void receive_all(const std::vector<int>& sockets, long core, const std::atomic<bool>& stop) {
  run_on_core(core);
  const int poll = ::epoll_create1(0);
  for (const int fd : sockets) {
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event);
  }
  std::vector<char> room(256 * 1024);
  std::array<epoll_event, 512> events;
  while (!stop.load(std::memory_order_relaxed)) {
    const int ready = ::epoll_wait(poll, events.data(), static_cast<int>(events.size()), 50);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[static_cast<std::size_t>(i)].data.fd;
      (void)!::recv(fd, room.data(), room.size(), MSG_DONTWAIT);
    }
  }
  ::close(poll);
}

// CPU µs per frame; the lowest of the rounds, because a neighbour can only add.
double measure(const std::vector<int>& sockets, std::size_t frames, double seconds) {
  const std::string bytes(frames * frame_bytes, 'x');
  double best = 1e9;
  const double deadline = thread_cpu_us() + seconds * 1e6;
  while (thread_cpu_us() < deadline) {
    std::size_t sent = 0;
    const double before = thread_cpu_us();
    for (const int fd : sockets) {
      const ssize_t taken = ::send(fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (taken > 0) sent += static_cast<std::size_t>(taken);
    }
    const double spent = thread_cpu_us() - before;
    if (sent == bytes.size() * sockets.size()) {
      best = std::min(best, spent * static_cast<double>(frame_bytes) / static_cast<double>(sent));
    }
    ::usleep(2000);  // the other core drains
  }
  return best;
}

}  // namespace

int main(int argc, char** argv) {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  const auto count = static_cast<std::size_t>(option(argc, argv, "--sockets", 1000));
  const double seconds = static_cast<double>(option(argc, argv, "--seconds", 2));
  const Connections connections = connect_all(count);
  std::atomic<bool> stop{false};
  std::thread receiver(receive_all, std::cref(connections.receivers),
                       option(argc, argv, "--receive-core", 1), std::cref(stop));
  run_on_core(option(argc, argv, "--send-core", 0));
  std::string line = "{\"mode\":\"floor\"";
  for (const std::size_t frames : frames_per_send) {
    const double cost =
        measure(connections.senders, frames, seconds / static_cast<double>(frames_per_send.size()));
    line += fmt::format(",\"send_{}_us\":{:.2f}", frames, cost);
  }
  stop.store(true);
  receiver.join();
  fmt::print("{}}}\n", line);
}
