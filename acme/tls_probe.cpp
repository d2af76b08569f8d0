#include "acme/tls_probe.hpp"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <cstring>
#include <memory>

#include <openssl/err.h>
#include <openssl/ssl.h>

#include "base/fd.hpp"
#include "net/certificate_store.hpp"

namespace portero::acme {
namespace {

constexpr int wait_ms = 3'000;

struct FreeContext {
  void operator()(SSL_CTX* context) const noexcept { SSL_CTX_free(context); }
};
struct FreeSession {
  void operator()(SSL* session) const noexcept { SSL_free(session); }
};

// A connected socket whose reads and writes give up after `wait_ms`; not open when there is none.
Fd connect_to(const IpAddress& address, std::uint16_t port) {
  sockaddr_in6 to{};  // IPv4 is mapped
  to.sin6_family = AF_INET6;
  to.sin6_port = htons(port);
  std::memcpy(&to.sin6_addr, address.bytes.data(), address.bytes.size());
  Fd socket(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  sockaddr_in to_v4{};
  const sockaddr* target = reinterpret_cast<const sockaddr*>(&to);
  socklen_t size = sizeof to;
  if (address.is_v4()) {
    to_v4.sin_family = AF_INET;
    to_v4.sin_port = htons(port);
    std::memcpy(&to_v4.sin_addr, address.bytes.data() + 12, 4);
    socket = Fd(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    target = reinterpret_cast<const sockaddr*>(&to_v4);
    size = sizeof to_v4;
  }
  if (!socket.is_open()) return Fd();
  if (::connect(socket.get(), target, size) != 0 && errno != EINPROGRESS) return Fd();
  pollfd ready{socket.get(), POLLOUT, 0};
  if (::poll(&ready, 1, wait_ms) != 1) return Fd();
  int problem = 0;
  socklen_t length = sizeof problem;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &problem, &length);
  if (problem != 0) return Fd();
  ::fcntl(socket.get(), F_SETFL, 0);  // blocking, with limits
  const timeval limit{wait_ms / 1'000, 0};
  ::setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
  ::setsockopt(socket.get(), SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
  return socket;
}

bool holds_digest(SSL& session, const std::string& digest) {
  const net::CertificatePointer shown(SSL_get1_peer_certificate(&session));
  unsigned char* der = nullptr;
  const int size = shown == nullptr ? 0 : i2d_X509(shown.get(), &der);
  if (size <= 0) return false;
  const std::string text(reinterpret_cast<const char*>(der), static_cast<std::size_t>(size));
  OPENSSL_free(der);
  return text.find(digest) != std::string::npos;
}

}  // namespace

ProbeResult probe_tls_alpn(const IpAddress& address, std::uint16_t port,
                           const std::string& server_name, const std::string& digest) {
  const Fd socket = connect_to(address, port);
  if (!socket.is_open()) return ProbeResult::unreachable;
  const std::unique_ptr<SSL_CTX, FreeContext> context(SSL_CTX_new(TLS_client_method()));
  const std::unique_ptr<SSL, FreeSession> session(SSL_new(context.get()));
  if (session == nullptr) return ProbeResult::unreachable;
  SSL_set_fd(session.get(), socket.get());
  SSL_set_tlsext_host_name(session.get(), server_name.c_str());
  static constexpr unsigned char protocol[] =
      "\x0a"
      "acme-tls/1";
  SSL_set_alpn_protos(session.get(), protocol, sizeof protocol - 1);
  const int connected = SSL_connect(session.get());
  const int reason = SSL_get_error(session.get(), connected);
  ERR_clear_error();
  if (connected == 1) {
    return holds_digest(*session, digest) ? ProbeResult::ours : ProbeResult::foreign;
  }
  // An alert is the answer of somebody who does not know the protocol; anything else says nothing.
  return reason == SSL_ERROR_SSL ? ProbeResult::foreign : ProbeResult::unreachable;
}

}  // namespace portero::acme
