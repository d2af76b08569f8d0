// Load of TLS handshakes: connects, does a full (or resumed) TLS 1.3 handshake with X25519 and
// AES-128-GCM, asks for one small answer so that tickets and Finished are consumed, closes. Each
// thread does one at a time. An answer that is not 200, or a session that is not resumed although
// it should be, ends the run with status 1. Prints one JSON line.
//
//   handshake_load --port P --seconds S [--threads 8] [--path /100] [--resume]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include <fmt/format.h>
#include <openssl/ssl.h>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
  std::uint16_t port = 0;
  double seconds = 5;
  int threads = 8;
  std::string path = "/100";
  bool resume = false;
};

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string_view name = argv[i];
    const char* const value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--port") options.port = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--seconds") options.seconds = std::atof(value);
    if (name == "--threads") options.threads = std::atoi(value);
    if (name == "--path") options.path = value;
    if (name == "--resume") options.resume = true;
  }
  return options;
}

[[noreturn]] void fail(std::string_view what) {
  fmt::print(stderr, "handshake_load: {}\n", what);
  std::_Exit(1);
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) fail("cannot connect");
  const int on = 1;  // as browsers and curl do
  ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return fd;
}

class Client {
 public:
  explicit Client(const Options& options)
      : options_(options),
        request_(fmt::format("GET {} HTTP/1.1\r\nHost: localhost:{}\r\nConnection: close\r\n\r\n",
                             options.path, options.port)) {
    SSL_CTX_set_min_proto_version(context_, TLS1_3_VERSION);
    SSL_CTX_set_ciphersuites(context_, "TLS_AES_128_GCM_SHA256");
    SSL_CTX_set1_groups_list(context_, "X25519");
  }

  void run(Clock::time_point end, std::atomic<long>& count) {
    if (options_.resume) handshake();  // for the first ticket
    while (Clock::now() < end) {
      handshake();
      count.fetch_add(1, std::memory_order_relaxed);
    }
  }

 private:
  void handshake() {
    const int fd = connect_to(options_.port);
    SSL* const ssl = SSL_new(context_);
    SSL_set_fd(ssl, fd);
    SSL_set_tlsext_host_name(ssl, "localhost");
    const bool resuming = session_ != nullptr;
    if (resuming) SSL_set_session(ssl, session_);
    if (SSL_connect(ssl) != 1) fail("a handshake failed");
    if (SSL_write(ssl, request_.data(), static_cast<int>(request_.size())) <= 0) {
      fail("a request could not be sent");
    }
    read_answer(ssl);
    if ((SSL_session_reused(ssl) == 1) != resuming) fail("a session was not resumed");
    if (options_.resume) {
      SSL_SESSION_free(session_);
      session_ = SSL_get1_session(ssl);
    }
    SSL_set_quiet_shutdown(ssl, 1);  // or OpenSSL takes the session for a bad one
    SSL_shutdown(ssl);
    SSL_free(ssl);
    ::close(fd);
  }

  static void read_answer(SSL* ssl) {
    std::array<char, 4096> room;
    std::string answer;
    for (;;) {
      const int got = SSL_read(ssl, room.data(), static_cast<int>(room.size()));
      if (got <= 0) break;
      answer.append(room.data(), static_cast<std::size_t>(got));
    }
    if (!answer.starts_with("HTTP/1.1 200 ")) fail("an answer is not 200");
  }

  const Options& options_;
  const std::string request_;
  SSL_CTX* context_ = SSL_CTX_new(TLS_client_method());
  SSL_SESSION* session_ = nullptr;
};

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  if (options.port == 0) fail("--port is missing");
  std::atomic<long> count{0};
  const Clock::time_point begin = Clock::now();
  const auto end = begin + std::chrono::duration_cast<Clock::duration>(
                               std::chrono::duration<double>(options.seconds));
  std::vector<std::thread> threads;
  for (int i = 0; i < options.threads; ++i) {
    threads.emplace_back([&] { Client(options).run(end, count); });
  }
  for (std::thread& thread : threads) thread.join();
  const double elapsed = std::chrono::duration<double>(Clock::now() - begin).count();
  fmt::print(R"({{"count":{},"per_s":{:.0f}}})"
             "\n",
             count.load(), static_cast<double>(count.load()) / elapsed);
}
