// Load over HTTP/1.1 keep-alive connections: each sends its next request as soon as the answer to
// the last one is complete, or, with --rate, when it is due. Plain or TLS 1.3 (AES-128-GCM, X25519,
// whatever the server would choose: every server does the same work). One thread, and as little
// work as can be, so that the server is what is busy.
//
// Every answer is checked: status 200 and exactly --expect bytes of body with a Content-Length or
// in chunks; in a tunnel the same bytes come back. Anything else ends the run with status 1.
//
//   edge_load --port P --seconds S [--tls] [--connections 64] [--path /100] [--expect 100]
//             [--post BYTES] [--rate PER_SECOND] [--tunnel]
// --tunnel: upgrades to a WebSocket first and sends frames of 64 bytes.
// Prints one JSON line.
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <openssl/ssl.h>

#include "http/h1_codec.hpp"

namespace {

using namespace portero;
using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  double seconds = 5;
  bool tls = false;
  int connections = 64;
  std::string path = "/100";
  std::size_t expect = 100;
  std::size_t post = 0;
  double rate = 0;
  bool tunnel = false;
};

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--port") options.port = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--seconds") options.seconds = std::atof(value);
    if (name == "--tls") options.tls = true;
    if (name == "--connections") options.connections = std::atoi(value);
    if (name == "--path") options.path = value;
    if (name == "--expect") options.expect = static_cast<std::size_t>(std::atoll(value));
    if (name == "--post") options.post = static_cast<std::size_t>(std::atoll(value));
    if (name == "--rate") options.rate = std::atof(value);
    if (name == "--tunnel") options.tunnel = true;
  }
  return options;
}

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "edge_load: {}\n", what);
  std::exit(1);
}

std::string request_text(const Options& options) {
  const std::string head = fmt::format(
      "{} {} HTTP/1.1\r\nHost: localhost:{}\r\nUser-Agent: edge_load\r\nAccept: */*\r\n",
      options.post > 0 ? "POST" : "GET", options.path, options.port);
  if (options.tunnel) {
    return head +
           "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
           "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
  }
  if (options.post == 0) return head + "\r\n";
  return fmt::format("{}Content-Length: {}\r\n\r\n{}", head, options.post,
                     std::string(options.post, 'y'));
}

// A masked binary frame of 64 bytes; the key is zero, so that they go as they are.
std::string frame_text() { return std::string("\x82\xc0\0\0\0\0", 6) + std::string(64, 'z'); }

class Client {
 public:
  Client(const Options& options, SSL_CTX* context, const std::string& request, int epoll)
      : options_(options), request_(request) {
    connect();
    if (context != nullptr) {
      ssl_ = SSL_new(context);
      SSL_set_fd(ssl_, fd_);
      SSL_set_tlsext_host_name(ssl_, "localhost");
      if (SSL_connect(ssl_) != 1) fail("the TLS handshake failed");
    }
    ::fcntl(fd_, F_SETFL, O_NONBLOCK);
    epoll_event event{};
    event.events = EPOLLIN | EPOLLOUT | EPOLLET;
    event.data.ptr = this;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd_, &event);
  }
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;
  ~Client() {
    if (ssl_ != nullptr) SSL_free(ssl_);
    ::close(fd_);
  }

  void start() {
    waiting_ = true;
    unsent_ = in_tunnel_ ? std::string_view(frame_) : std::string_view(request_);
    echoed_ = 0;
    parser_ = http::H1ResponseParser(http::Method::get);
    in_head_ = true;
    body_bytes_ = 0;
    write();
  }
  // Sends and receives what it can. Returns whether an answer was completed.
  bool on_ready() {
    if (!waiting_) return false;
    if (!unsent_.empty()) write();
    for (;;) {
      const std::size_t got = read();
      if (got == 0) return false;
      if (in_tunnel_ ? take_echo(got) : take_answer()) {
        waiting_ = false;
        return true;
      }
      if (ssl_ == nullptr && got < read_bytes) return false;  // nothing left in the socket
    }
  }

 private:
  static constexpr std::size_t read_bytes = 64 * 1024;

  void connect() {
    fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in to{};
    to.sin_family = AF_INET;
    to.sin_port = htons(options_.port);
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (::connect(fd_, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fail("cannot connect");
    const int on = 1;
    ::setsockopt(fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  }

  void write() {
    while (!unsent_.empty()) {
      std::size_t sent = 0;
      if (ssl_ != nullptr) {
        if (SSL_write_ex(ssl_, unsent_.data(), unsent_.size(), &sent) != 1) {
          if (SSL_get_error(ssl_, 0) == SSL_ERROR_WANT_WRITE) return;
          fail("SSL_write failed");
        }
      } else {
        const ssize_t size = ::send(fd_, unsent_.data(), unsent_.size(), MSG_NOSIGNAL);
        if (size < 0 && errno == EAGAIN) return;
        if (size < 0) fail("send failed");
        sent = static_cast<std::size_t>(size);
      }
      unsent_.remove_prefix(sent);
    }
  }

  // Appends to input_; 0: nothing there.
  std::size_t read() {
    const MutableBytes room = input_.prepare(read_bytes).first(read_bytes);
    std::size_t got = 0;
    if (ssl_ != nullptr) {
      if (SSL_read_ex(ssl_, room.data(), room.size(), &got) != 1) {
        if (SSL_get_error(ssl_, 0) == SSL_ERROR_WANT_READ) return 0;
        fail("the server has ended the TLS session");
      }
    } else {
      const ssize_t size = ::recv(fd_, room.data(), room.size(), 0);
      if (size < 0 && errno == EAGAIN) return 0;
      if (size <= 0) fail("the server has closed the connection");
      got = static_cast<std::size_t>(size);
    }
    input_.commit(got);
    return got;
  }

  bool take_echo(std::size_t got) {
    if (echoed_ + got > frame_.size()) fail("more came back than was sent");
    if (input_.readable() != std::string_view(frame_).substr(echoed_, got)) fail("a wrong echo");
    input_.clear();
    echoed_ += got;
    return echoed_ == frame_.size();
  }

  bool take_answer() {
    if (in_head_ && !take_head()) return false;
    if (options_.tunnel) {
      in_tunnel_ = true;
      if (!input_.empty()) fail("bytes behind the 101");
      return true;
    }
    while (!decoder_.done()) {
      const Result<http::BodyPiece> piece = decoder_.next(input_, response_.trailers, arena_);
      if (!piece) fail("a malformed body");
      if (piece->state == http::BodyPiece::State::need_more) return false;
      body_bytes_ += piece->data.size();
    }
    if (body_bytes_ != options_.expect) {
      fail(fmt::format("{} bytes instead of {}", body_bytes_, options_.expect));
    }
    return true;
  }

  bool take_head() {
    const Result<http::HeadState> state = parser_.next(input_, response_, arena_);
    if (!state) fail(fmt::format("a malformed answer: {}", parser_.detail()));
    if (*state == http::HeadState::need_more) return false;
    const int wanted = options_.tunnel ? 101 : 200;
    if (response_.status != wanted) fail(fmt::format("status {}", response_.status));
    if (!options_.tunnel && !parser_.keep_alive()) fail("the server ends the connection");
    decoder_ = http::H1BodyDecoder(parser_.framing(), Side::upstream);
    response_ = http::Response(arena_);
    arena_.reset();
    in_head_ = false;
    return true;
  }

  const Options& options_;
  const std::string& request_;
  const std::string frame_ = frame_text();
  int fd_ = -1;
  SSL* ssl_ = nullptr;
  bool waiting_ = false;
  bool in_tunnel_ = false;
  bool in_head_ = true;
  std::string_view unsent_;
  std::size_t echoed_ = 0;
  std::size_t body_bytes_ = 0;
  Buffer input_;
  Arena arena_;
  http::Response response_{arena_};
  http::H1ResponseParser parser_{http::Method::get};
  http::H1BodyDecoder decoder_;
};

class Load {
 public:
  explicit Load(const Options& options)
      : options_(options), request_(request_text(options)), epoll_(::epoll_create1(0)) {
    SSL_CTX* context = nullptr;
    if (options.tls) {
      context = SSL_CTX_new(TLS_client_method());
      SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
      SSL_CTX_set_ciphersuites(context, "TLS_AES_128_GCM_SHA256");
      SSL_CTX_set1_groups_list(context, "X25519");
      SSL_CTX_set_read_ahead(context, 1);
    }
    for (int i = 0; i < options.connections; ++i) {
      clients_.push_back(std::make_unique<Client>(options_, context, request_, epoll_));
      idle_.push_back(clients_.back().get());
    }
  }

  void run() {
    const Clock::time_point begin = Clock::now();
    double elapsed = 0;
    while (elapsed < options_.seconds) {
      release(elapsed);
      turn();
      elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
    }
    fmt::print(R"({{"count":{},"per_s":{:.0f}}})"
               "\n",
               count_, static_cast<double>(count_) / elapsed);
  }

 private:
  void turn() {
    std::array<epoll_event, 256> events;
    const int wait_ms = options_.rate > 0 ? 1 : 100;
    const int count = ::epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms);
    for (int i = 0; i < count; ++i) {
      auto* const client = static_cast<Client*>(events[static_cast<std::size_t>(i)].data.ptr);
      if (!client->on_ready()) continue;
      ++count_;
      if (options_.rate > 0) {
        idle_.push_back(client);
      } else {
        client->start();
      }
    }
  }

  // Starts what is due by now; without a rate, all that is idle.
  void release(double elapsed) {
    const double due = options_.rate > 0 ? options_.rate * elapsed : 1e18;
    while (!idle_.empty() && static_cast<double>(started_) < due) {
      idle_.back()->start();
      idle_.pop_back();
      ++started_;
    }
  }

  const Options& options_;
  const std::string request_;
  const int epoll_;
  std::vector<std::unique_ptr<Client>> clients_;
  std::vector<Client*> idle_;
  long started_ = 0;
  long count_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  if (options.port == 0) fail("--port is missing");
  Load load(options);
  load.run();
}
