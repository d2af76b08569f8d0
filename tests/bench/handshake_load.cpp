// Load of TLS handshakes: connects, does a full (or resumed) TLS 1.3 handshake, asks for one small
// answer so that tickets and Finished are consumed, closes. Closed loop on one thread.
// Prints one JSON line.
//
//   handshake_load --port P --seconds S [--host NAME] [--resume]
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>

#include <fmt/format.h>
#include <openssl/ssl.h>

namespace {

struct Options {
  std::uint16_t port = 0;
  double seconds = 5;
  std::string host = "localhost";
  bool resume = false;
};

Options parse_options(int argc, char** argv) {
  Options options;
  for (int i = 1; i < argc; ++i) {
    const std::string name = argv[i];
    const char* value = i + 1 < argc ? argv[i + 1] : "";
    if (name == "--port") options.port = static_cast<std::uint16_t>(std::atoi(value));
    if (name == "--seconds") options.seconds = std::atof(value);
    if (name == "--host") options.host = value;
    if (name == "--resume") options.resume = true;
  }
  return options;
}

int connect_to(std::uint16_t port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in to{};
  to.sin_family = AF_INET;
  to.sin_port = htons(port);
  to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&to), sizeof to) != 0) {
    std::perror("handshake_load: connect");
    std::exit(1);
  }
  return fd;
}

// One handshake, request and answer. Keeps the session for the next one when `session` is given.
bool handshake(SSL_CTX* context, const Options& options, SSL_SESSION** session) {
  const int fd = connect_to(options.port);
  SSL* ssl = SSL_new(context);
  SSL_set_fd(ssl, fd);
  SSL_set_tlsext_host_name(ssl, options.host.c_str());
  if (session != nullptr && *session != nullptr) SSL_set_session(ssl, *session);
  bool resumed = false;
  if (SSL_connect(ssl) == 1) {
    const std::string request =
        fmt::format("GET / HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", options.host);
    SSL_write(ssl, request.data(), static_cast<int>(request.size()));
    std::array<char, 4096> room;
    while (SSL_read(ssl, room.data(), static_cast<int>(room.size())) > 0) {
    }
    resumed = SSL_session_reused(ssl) == 1;
    if (session != nullptr) {
      SSL_SESSION_free(*session);
      *session = SSL_get1_session(ssl);
    }
  } else {
    std::fprintf(stderr, "handshake_load: handshake failed\n");
    std::exit(1);
  }
  SSL_free(ssl);
  ::close(fd);
  return resumed;
}

}  // namespace

int main(int argc, char** argv) {
  const Options options = parse_options(argc, argv);
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  SSL_CTX_set1_groups_list(context, "X25519");
  SSL_SESSION* session = nullptr;
  long count = 0;
  long resumed = 0;
  const auto start = std::chrono::steady_clock::now();
  const auto end = start + std::chrono::duration<double>(options.seconds);
  while (std::chrono::steady_clock::now() < end) {
    resumed += handshake(context, options, options.resume ? &session : nullptr) ? 1 : 0;
    ++count;
  }
  const double elapsed =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  fmt::print(R"({{"mode":"handshake","count":{},"resumed":{},"per_s":{:.0f}}})"
             "\n",
             count, resumed, static_cast<double>(count) / elapsed);
}
