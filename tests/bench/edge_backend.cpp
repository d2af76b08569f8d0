// The backend of the edge's benchmark: answers GET /N with N bytes, POST with 100 bytes once the
// body is there, and an upgrade by echoing what comes. It does no more than that, so that one core
// can carry the load, this backend, and still keep a proxy on another core busy.
// Counts what it answers in a file that holds one 64-bit number, mapped shared, for run.py.
//
//   edge_backend --port P --count FILE
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include <fmt/format.h>

namespace {

constexpr std::size_t post_answer_bytes = 100;
std::atomic<std::uint64_t>* answered = nullptr;

[[noreturn]] void fail(const char* what) {
  std::perror(what);
  std::exit(1);
}

void map_counter(const char* path) {
  const int fd = ::open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (fd < 0 || ::ftruncate(fd, sizeof(std::uint64_t)) != 0) fail(path);
  void* const mapped =
      ::mmap(nullptr, sizeof(std::uint64_t), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  if (mapped == MAP_FAILED) fail(path);
  ::close(fd);
  answered = new (mapped) std::atomic<std::uint64_t>(0);
}

// The whole answer with `bytes` of body; its head is what nginx would send.
const std::string& answer_of(std::size_t bytes) {
  static std::map<std::size_t, std::string> answers;
  std::string& answer = answers[bytes];
  if (answer.empty()) {
    answer = fmt::format(
        "HTTP/1.1 200 OK\r\nServer: backend\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
        "Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n{}",
        bytes, std::string(bytes, 'x'));
  }
  return answer;
}

constexpr std::string_view switching =
    "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

class Connection {
 public:
  explicit Connection(int fd) noexcept : fd_(fd) {}
  Connection(const Connection&) = delete;
  Connection& operator=(const Connection&) = delete;
  ~Connection() { ::close(fd_); }

  // Returns false when the connection is over.
  bool on_ready() {
    if (!send_rest()) return false;
    static std::array<char, 256 * 1024> room;
    for (;;) {
      const ssize_t got = ::recv(fd_, room.data(), room.size(), 0);
      if (got < 0) return errno == EAGAIN;
      if (got == 0) return false;
      if (!take({room.data(), static_cast<std::size_t>(got)})) return false;
      if (static_cast<std::size_t>(got) < room.size()) return true;
    }
  }

 private:
  bool take(std::string_view bytes) {
    if (tunnel_) {
      answered->fetch_add(1, std::memory_order_relaxed);
      echo_.assign(bytes);
      return send(echo_);
    }
    if (body_left_ > 0) return take_body(bytes);
    if (!head_.empty()) {
      head_ += bytes;
      bytes = head_;
    }
    const std::size_t end = bytes.find("\r\n\r\n");
    if (end == std::string_view::npos) {
      if (head_.empty()) head_ = bytes;
      return true;
    }
    const bool going_on = answer(bytes.substr(0, end + 4), bytes.substr(end + 4));
    head_.clear();
    return going_on;
  }

  bool take_body(std::string_view bytes) {
    if (bytes.size() > body_left_) return false;  // nobody pipelines here
    body_left_ -= bytes.size();
    return body_left_ > 0 || finish(answer_of(post_answer_bytes));
  }

  bool answer(std::string_view head, std::string_view rest) {
    if (head.starts_with("POST ")) {
      body_left_ = length_in(head);
      return take_body(rest);
    }
    const std::size_t path = head.find('/');
    if (path == std::string_view::npos) return false;
    if (head.substr(path).starts_with("/tunnel ")) {
      tunnel_ = true;
      return finish(switching);
    }
    std::size_t bytes = 0;
    std::from_chars(head.data() + path + 1, head.data() + head.size(), bytes);
    return finish(answer_of(bytes));
  }

  static std::size_t length_in(std::string_view head) {
    for (std::string_view name : {"\r\ncontent-length: ", "\r\nContent-Length: "}) {
      const std::size_t at = head.find(name);
      if (at == std::string_view::npos) continue;
      std::size_t bytes = 0;
      std::from_chars(head.data() + at + name.size(), head.data() + head.size(), bytes);
      return bytes;
    }
    std::fprintf(stderr, "edge_backend: a POST without Content-Length\n");
    std::exit(1);
  }

  bool finish(std::string_view text) {
    answered->fetch_add(1, std::memory_order_relaxed);
    return send(text);
  }

  bool send(std::string_view text) {
    rest_ = text;
    return send_rest();
  }

  bool send_rest() {
    while (!rest_.empty()) {
      const ssize_t sent = ::send(fd_, rest_.data(), rest_.size(), MSG_NOSIGNAL);
      if (sent < 0) return errno == EAGAIN;
      rest_.remove_prefix(static_cast<std::size_t>(sent));
    }
    return true;
  }

  int fd_;
  bool tunnel_ = false;
  std::size_t body_left_ = 0;
  std::string head_;       // of a request, until it is whole
  std::string echo_;       // behind rest_
  std::string_view rest_;  // of an answer
};

int listen_on(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  const int on = 1;
  ::setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  sockaddr_in where{};
  where.sin_family = AF_INET;
  where.sin_port = htons(port);
  where.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::bind(fd, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0) fail("bind");
  if (::listen(fd, 4096) != 0) fail("listen");
  return fd;
}

void accept_all(int listener, int epoll) {
  for (;;) {
    const int fd = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) return;
    const int on = 1;
    ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = new Connection(fd);
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
  }
}

}  // namespace

int main(int argc, char** argv) {
  std::uint16_t port = 0;
  for (int i = 1; i + 1 < argc; i += 2) {
    const std::string_view name = argv[i];
    if (name == "--port") port = static_cast<std::uint16_t>(std::atoi(argv[i + 1]));
    if (name == "--count") map_counter(argv[i + 1]);
  }
  if (port == 0 || answered == nullptr) {
    std::fprintf(stderr, "usage: edge_backend --port P --count FILE\n");
    return 2;
  }
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  const int listener = listen_on(port);
  epoll_event event{};
  event.events = EPOLLIN;
  ::epoll_ctl(epoll, EPOLL_CTL_ADD, listener, &event);
  std::array<epoll_event, 256> events;
  for (;;) {
    const int count = ::epoll_wait(epoll, events.data(), static_cast<int>(events.size()), -1);
    for (int i = 0; i < count; ++i) {
      auto* const connection =
          static_cast<Connection*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (connection == nullptr) {
        accept_all(listener, epoll);
      } else if (!connection->on_ready()) {
        delete connection;
      }
    }
  }
}
