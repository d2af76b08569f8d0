// Peers that do what portero's own client never does: a bare OpenSSL client against our server.
#include <thread>

#include <doctest/doctest.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

#include "unit/net/tls_fixture.hpp"

using namespace portero;
using namespace portero::net;
using namespace portero::net::test;

namespace {

class RawClient {
 public:
  explicit RawClient(TlsPair& pair) : pair_(pair), context_(SSL_CTX_new(TLS_client_method())) {
    SSL_CTX_set_verify(context_, SSL_VERIFY_NONE, nullptr);
  }
  ~RawClient() {
    SSL_free(session_);
    SSL_CTX_free(context_);
    ERR_clear_error();
  }
  RawClient(const RawClient&) = delete;

  SSL_CTX* context() { return context_; }
  SSL* session() { return session_; }

  // Returns whether both sides have finished the handshake.
  bool shake_hands(const char* name = "a.test", SSL_SESSION* ticket = nullptr) {
    SocketPair sockets = make_socket_pair();
    socket_ = std::move(sockets.client);
    session_ = SSL_new(context_);
    SSL_set_fd(session_, socket_.get());
    if (ticket != nullptr) SSL_set_session(session_, ticket);
    if (name != nullptr) SSL_set_tlsext_host_name(session_, name);
    pair_.server = Errc::would_block;
    spawn(accept_into(std::make_unique<TcpStream>(pair_.loop, std::move(sockets.server)),
                      pair_.context, pair_.loop, pair_.server));
    bool connected = false;
    for (int i = 0; i < 100 && !(connected && TlsPair::is_settled(pair_.server)); ++i) {
      connected = connected || SSL_connect(session_) == 1;
      pair_.loop.run_once(0);
    }
    return connected && pair_.server.has_value();
  }

  // What the server sent, after it had some turns.
  std::string receive() {
    char block[1000];
    for (int i = 0; i < 20; ++i) {
      pair_.loop.run_once(0);
      const int got = SSL_read(session_, block, sizeof block);
      if (got > 0) return {block, static_cast<std::size_t>(got)};
    }
    return {};
  }

 private:
  TlsPair& pair_;
  SSL_CTX* context_;
  SSL* session_ = nullptr;
  Fd socket_;
};

Result<std::size_t> read_once(TlsPair& pair) {
  char block[1000];
  pair.loop.run_once(0);
  return (*pair.server)->try_read(block);
}

void say(TlsPair& pair, std::string_view text) {
  const Bytes parts[] = {text};
  REQUIRE((*pair.server)->try_write(parts).has_value());
}

}  // namespace

TEST_CASE("tls_peers: TLS 1.2 works, with AEAD ciphers only") {
  TlsPair pair;
  RawClient client(pair);
  SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
  REQUIRE(client.shake_hands());
  CHECK((*pair.server)->version() == "TLSv1.2");
  CHECK((*pair.server)->cipher() == "ECDHE-ECDSA-AES128-GCM-SHA256");
  say(pair, "hello");
  CHECK(client.receive() == "hello");

  RawClient old(pair);
  SSL_CTX_set_max_proto_version(old.context(), TLS1_2_VERSION);
  SSL_CTX_set_cipher_list(old.context(), "ECDHE-ECDSA-AES128-SHA256:AES128-SHA");
  CHECK_FALSE(old.shake_hands());
  CHECK(pair.server.error() == Errc::tls_handshake);
}

TEST_CASE("tls_peers: TLS 1.1 is refused, and TLS 1.2 where a site asks for 1.3") {
  TlsPair pair;
  RawClient ancient(pair);
  SSL_CTX_set_security_level(ancient.context(), 0);
  SSL_CTX_set_min_proto_version(ancient.context(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(ancient.context(), TLS1_1_VERSION);
  CHECK_FALSE(ancient.shake_hands());
  CHECK(pair.server.error() == Errc::tls_handshake);

  const auto lax = certificate_for({"lax.test"});
  pair.context.set_certificates(
      std::make_shared<const CertificateStore>(std::vector<NamedCertificate>{
          {"lax.test", lax, false}, {"strict.test", certificate_for({"strict.test"}), true}}));
  RawClient to_lax(pair);
  SSL_CTX_set_max_proto_version(to_lax.context(), TLS1_2_VERSION);
  CHECK(to_lax.shake_hands("lax.test"));
  RawClient to_strict(pair);
  SSL_CTX_set_max_proto_version(to_strict.context(), TLS1_2_VERSION);
  CHECK_FALSE(to_strict.shake_hands("strict.test"));
}

TEST_CASE("tls_peers: a client that prefers ChaCha20 gets it") {
  TlsPair pair;
  RawClient client(pair);
  SSL_CTX_set_ciphersuites(client.context(), "TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256");
  REQUIRE(client.shake_hands());
  CHECK((*pair.server)->cipher() == "TLS_CHACHA20_POLY1305_SHA256");
}

TEST_CASE("tls_peers: a TLS 1.2 session resumes by ticket") {
  TlsPair pair;
  SSL_SESSION* ticket = nullptr;
  for (const bool expected : {false, true}) {
    RawClient client(pair);
    SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
    REQUIRE(client.shake_hands("a.test", ticket));
    CHECK((*pair.server)->resumed() == expected);
    if (ticket == nullptr) ticket = SSL_get1_session(client.session());
    SSL_set_shutdown(client.session(), SSL_SENT_SHUTDOWN);  // or the ticket would be void
  }
  SSL_SESSION_free(ticket);
}

TEST_CASE("tls_peers: renegotiation is refused") {
  TlsPair pair;
  RawClient client(pair);
  SSL_CTX_set_max_proto_version(client.context(), TLS1_2_VERSION);
  REQUIRE(client.shake_hands());
  SSL_renegotiate(client.session());
  SSL_do_handshake(client.session());
  CHECK(read_once(pair).has_error());
  say(pair, "still on the first keys");
  CHECK_FALSE(SSL_is_init_finished(client.session()));
}

TEST_CASE("tls_peers: key updates are followed, a flood of them is not") {
  TlsPair pair;
  RawClient client(pair);
  REQUIRE(client.shake_hands());
  SSL_key_update(client.session(), SSL_KEY_UPDATE_REQUESTED);
  REQUIRE(SSL_write(client.session(), "one", 3) == 3);
  CHECK(read_once(pair).value() == 3);
  say(pair, "two");
  CHECK(client.receive() == "two");

  BIO* const memory = BIO_new(BIO_s_mem());
  SSL_set0_wbio(client.session(), memory);
  for (int i = 0; i < 4000; ++i) {  // more than four reads of the socket
    SSL_key_update(client.session(), SSL_KEY_UPDATE_NOT_REQUESTED);
    REQUIRE(SSL_do_handshake(client.session()) == 1);
  }
  char* data = nullptr;
  const long size = BIO_get_mem_data(memory, &data);
  REQUIRE(::send(SSL_get_rfd(client.session()), data, static_cast<std::size_t>(size), 0) == size);
  CHECK(read_once(pair).error() == Errc::flood);
}

TEST_CASE("tls_peers: the ticket of TLS 1.3 leaves with the first data, in one send") {
  TlsPair pair;
  RawClient client(pair);
  REQUIRE(client.shake_hands());
  pair.loop.run_once(0);
  char byte = 0;
  CHECK(::recv(SSL_get_fd(client.session()), &byte, 1, MSG_PEEK | MSG_DONTWAIT) < 0);
  say(pair, "hello");
  CHECK(client.receive() == "hello");
  CHECK(SSL_SESSION_has_ticket(SSL_get_session(client.session())) == 1);
}

TEST_CASE("tls_peers: a server that never writes sends the ticket before its close_notify") {
  TlsPair pair;
  RawClient client(pair);
  REQUIRE(client.shake_hands());
  (*pair.server)->shutdown_write();
  CHECK(client.receive().empty());
  CHECK(SSL_SESSION_has_ticket(SSL_get_session(client.session())) == 1);
  CHECK(SSL_get_shutdown(client.session()) == SSL_RECEIVED_SHUTDOWN);
}

TEST_CASE("tls_peers: a fatal alert is tls_protocol, never an orderly end") {
  TlsPair pair;
  RawClient client(pair);
  REQUIRE(client.shake_hands());
  // A record that does not decrypt makes the client send bad_record_mac.
  const std::string forged = std::string("\x17\x03\x03\x00\x20", 5) + std::string(32, 'f');
  const int fd = (*pair.server)->tcp().fd();
  REQUIRE(::send(fd, forged.data(), forged.size(), MSG_NOSIGNAL) == 37);
  CHECK(client.receive().empty());
  const Result<std::size_t> got = read_once(pair);
  REQUIRE(got.has_error());
  CHECK(got.error() == Errc::tls_protocol);
}

TEST_CASE("tls_peers: workers on several threads share certificates and ticket keys") {
  const auto certificates = store_for({"a.test"});
  const auto keys = TicketKeys::make();
  root_file();  // made once, before the threads
  std::array<int, 2> finished{};
  const auto work = [&](std::size_t worker) {
    TlsPair pair(certificates);
    pair.context.set_ticket_keys(keys);
    for (int i = 0; i < 20; ++i) {
      pair.shake_hands();
      if (pair.client.has_value() && pair.server.has_value()) ++finished[worker];
    }
  };
  std::thread other(work, 1);
  work(0);
  other.join();
  CHECK(finished[0] == 20);
  CHECK(finished[1] == 20);
}
