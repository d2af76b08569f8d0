// Two ends of a TLS session over a socketpair, driven by one loop with a bounded number of turns.
// Thread: tests' only one. Owner: the test case.
#pragma once

#include <fcntl.h>
#include <sys/socket.h>

#include <memory>
#include <string>

#include "net/tls_stream.hpp"
#include "unit/net/certificates_for_test.hpp"

namespace portero::net::test {

constexpr int turns_max = 2000;
constexpr Milliseconds handshake_time{10'000};

using Handshake = Result<std::unique_ptr<TlsStream>>;

struct SocketPair {
  Fd client;
  Fd server;
};

inline SocketPair make_socket_pair(int buffer_bytes = 0) {
  int fds[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds) != 0) std::abort();
  for (const int fd : fds) {
    if (buffer_bytes == 0) continue;
    ::setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
    ::setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
  }
  return {Fd(fds[0]), Fd(fds[1])};
}

inline std::shared_ptr<const CertificateData> certificate_for(
    const std::vector<std::string>& names) {
  const Pem pem = make_leaf(names);
  return *parse_certificate(pem.certificate, pem.key);
}

inline std::shared_ptr<const CertificateStore> store_for(const std::vector<std::string>& names,
                                                         bool tls13_only = false) {
  const auto certificate = certificate_for(names);
  std::vector<NamedCertificate> entries;
  for (const std::string& name : names) entries.push_back({name, certificate, tls13_only});
  return std::make_shared<const CertificateStore>(entries);
}

inline NamedCertificate fallback_for(const std::vector<std::string>& names) {
  return {"", certificate_for(names)};
}

inline std::unique_ptr<ClientContext> make_client(std::vector<std::string> protocols = {"h2"},
                                                  bool insecure = false) {
  ClientOptions options;
  options.ca_file = root_file();
  options.insecure = insecure;
  options.protocols = std::move(protocols);
  return std::move(*ClientContext::create(options));
}

inline Task<> accept_into(std::unique_ptr<TcpStream> tcp, ServerContext& context, Loop& loop,
                          Handshake& out) {
  out = co_await accept_tls(std::move(tcp), context, {loop.timers(), handshake_time});
}

inline Task<> connect_into(std::unique_ptr<TcpStream> tcp, ClientContext& context, std::string name,
                           Loop& loop, Handshake& out) {
  out =
      co_await connect_tls(std::move(tcp), context, std::move(name), loop.timers(), handshake_time);
}

inline Task<> read_exactly(ByteStream& stream, std::size_t count, std::string& out, Error& error) {
  char block[5000];
  while (out.size() < count) {
    const Result<std::size_t> got = co_await read_some(stream, block);
    if (!got) error = got.error();
    if (!got || *got == 0) break;
    out.append(block, *got);
  }
}

inline Task<> send_all(ByteStream& stream, const std::string& data, bool& done) {
  const Result<> sent = co_await write_all(stream, data);
  done = sent.has_value();
}

// Sets the thread's clock right again after a case that has moved it.
struct RightTime {
  RightTime() { coarse_clock().update(); }
};

struct TlsPair {
  RightTime right_time;
  Loop loop;
  std::shared_ptr<const TicketKeys> keys = TicketKeys::make();
  ServerContext context{keys, {"h2", "http/1.1"}};
  std::unique_ptr<ClientContext> client_context = make_client();
  Handshake client = Errc::would_block;
  Handshake server = Errc::would_block;

  explicit TlsPair(std::shared_ptr<const CertificateStore> certificates = store_for({"a.test"})) {
    context.set_certificates(std::move(certificates));
  }

  void begin_handshake(const std::string& name, int buffer_bytes = 0) {
    client = Errc::would_block;
    server = Errc::would_block;
    SocketPair sockets = make_socket_pair(buffer_bytes);
    spawn(accept_into(std::make_unique<TcpStream>(loop, std::move(sockets.server)), context, loop,
                      server));
    spawn(connect_into(std::make_unique<TcpStream>(loop, std::move(sockets.client)),
                       *client_context, name, loop, client));
  }

  // Both ends shake hands; `client` and `server` tell how it went.
  void shake_hands(const std::string& name = "a.test", int buffer_bytes = 0) {
    begin_handshake(name, buffer_bytes);
    finish_handshake();
  }

  void finish_handshake() {
    run([this] { return is_settled(client) && is_settled(server); });
    // The client believes it is done while its Finished waits for company.
    if (client && !is_settled(server)) {
      char byte = 0;
      (void)(*client)->try_read({&byte, 1});
      run([this] { return is_settled(server); });
    }
  }

  static bool is_settled(const Handshake& handshake) {
    return handshake.has_value() || handshake.error().code != Errc::would_block;
  }

  // Turns the loop until `done` says so. Returns whether it did.
  template <class Done>
  bool run(Done done, int turns = turns_max) {
    for (int i = 0; i < turns && !done(); ++i) loop.run_once(0);
    return done();
  }

  void pass_time(Milliseconds time) {
    coarse_clock().monotonic_ms += time.count();
    loop.timers().advance();
    run_queue().run();
  }

  // Sends bytes one way and returns what arrived.
  std::string transfer(ByteStream& from, ByteStream& to, const std::string& data) {
    std::string received;
    bool sent = false;
    Error error = Errc::ok;
    spawn(read_exactly(to, data.size(), received, error));
    spawn(send_all(from, data, sent));
    run([&] { return sent && received.size() >= data.size(); }, 100'000);
    return received;
  }
};

}  // namespace portero::net::test
