#include "net/tls_context.hpp"

#include <cstdlib>

#include <doctest/doctest.h>

#include "unit/net/tls_fixture.hpp"

using namespace portero;
using namespace portero::net;
using namespace portero::net::test;

TEST_CASE("tls_context: agrees on TLS 1.3 with AES-128 and on the server's favourite protocol") {
  TlsPair pair;
  pair.client_context = make_client({"http/1.1", "h2"});
  pair.shake_hands();
  REQUIRE(pair.client.has_value());
  REQUIRE(pair.server.has_value());
  CHECK((*pair.server)->version() == "TLSv1.3");
  CHECK((*pair.server)->cipher() == "TLS_AES_128_GCM_SHA256");
  CHECK((*pair.server)->protocol() == "h2");
  CHECK((*pair.client)->protocol() == "h2");
  CHECK((*pair.server)->server_name() == "a.test");
  CHECK_FALSE((*pair.server)->resumed());
}

TEST_CASE("tls_context: refuses a client that offers only other protocols") {
  TlsPair pair;
  pair.client_context = make_client({"spdy/3"});
  pair.shake_hands();
  CHECK(pair.server.error() == Errc::tls_handshake);
  CHECK(pair.client.error() == Errc::tls_handshake);
}

TEST_CASE("tls_context: without ALPN there is no protocol and no refusal") {
  TlsPair pair;
  pair.client_context = make_client({});
  pair.shake_hands();
  REQUIRE(pair.server.has_value());
  CHECK((*pair.server)->protocol() == "");
}

TEST_CASE("tls_context: protocols can be replaced while running") {
  TlsPair pair;
  pair.context.set_protocols({"http/1.1"});
  pair.client_context = make_client({"h2", "http/1.1"});
  pair.shake_hands();
  REQUIRE(pair.server.has_value());
  CHECK((*pair.server)->protocol() == "http/1.1");
}

TEST_CASE("tls_context: chooses the certificate by name, exact before wildcard") {
  const auto exact = certificate_for({"www.example.com"});
  const auto wildcard = certificate_for({"*.example.com"});
  TlsPair pair(std::make_shared<const CertificateStore>(std::vector<NamedCertificate>{
      {"www.example.com", exact, false}, {"*.example.com", wildcard, false}}));
  // The client checks the name, so a wrong choice would fail.
  pair.shake_hands("www.example.com");
  CHECK(pair.client.has_value());
  pair.shake_hands("API.example.com");
  CHECK(pair.client.has_value());
  pair.shake_hands("a.b.example.com");
  CHECK(pair.server.error() == Errc::tls_handshake);
}

TEST_CASE("tls_context: an unknown name gets unrecognized_name, or the fallback if there is one") {
  const auto known = certificate_for({"known.test"});
  const std::vector<NamedCertificate> entries = {{"known.test", known, false}};
  TlsPair pair(std::make_shared<const CertificateStore>(entries));
  pair.shake_hands("unknown.test");
  CHECK(pair.client.error() == Errc::tls_handshake);
  CHECK(pair.server.error() == Errc::tls_handshake);

  pair.context.set_certificates(
      std::make_shared<const CertificateStore>(entries, fallback_for({"fallback.test"})));
  pair.client_context = make_client({"h2"}, true);
  pair.shake_hands("unknown.test");
  CHECK(pair.client.has_value());
  pair.shake_hands("192.0.2.1");  // an address: no name is sent
  CHECK(pair.client.has_value());
  CHECK((*pair.server)->server_name() == "");
}

namespace {

class ScriptedGate final : public NameGate {
 public:
  Verdict ask(std::string_view name, const IpAddress&) noexcept override {
    asked.emplace_back(name);
    return verdict;
  }
  void wake() { wake_all(); }
  std::size_t count() const { return waiting(); }

  Verdict verdict = Verdict::wait;
  std::vector<std::string> asked;
};

// Only stands in for the names below example.com.
NamedCertificate stand_in() {
  NamedCertificate entry{"*.example.com", certificate_for({"*.example.com"})};
  entry.on_demand = true;
  return entry;
}

}  // namespace

TEST_CASE("tls_context: a handshake waits for the name gate and goes on with what it brought") {
  ScriptedGate gate;
  std::vector<NamedCertificate> entries{stand_in()};
  TlsPair pair(std::make_shared<const CertificateStore>(entries));
  pair.context.set_name_gate(&gate);
  pair.begin_handshake("Shop.example.com");
  pair.run([] { return false; }, 20);
  CHECK_FALSE(TlsPair::is_settled(pair.server));
  CHECK(gate.count() == 1);
  REQUIRE(gate.asked.size() == 1);
  CHECK(gate.asked[0] == "shop.example.com");

  gate.wake();  // for another name: it asks again and waits on
  pair.run([] { return false; }, 20);
  CHECK(gate.asked.size() == 2);
  CHECK(gate.count() == 1);

  entries.push_back({"shop.example.com", certificate_for({"shop.example.com"})});
  pair.context.set_certificates(std::make_shared<const CertificateStore>(entries));
  gate.wake();
  pair.finish_handshake();
  CHECK(pair.client.has_value());
  CHECK(gate.asked.size() == 2);
  CHECK(gate.count() == 0);
}

TEST_CASE("tls_context: the name gate refuses, also in the end, and nobody waits for ever") {
  ScriptedGate gate;
  TlsPair pair(std::make_shared<const CertificateStore>(std::vector<NamedCertificate>{stand_in()}));
  pair.shake_hands("a.example.com");  // there is no gate
  CHECK(pair.server.error() == Errc::tls_handshake);
  pair.context.set_name_gate(&gate);
  pair.begin_handshake("a.example.com");
  pair.run([] { return false; }, 20);
  gate.verdict = NameGate::Verdict::refuse;
  gate.wake();
  pair.finish_handshake();
  CHECK(pair.server.error() == Errc::tls_handshake);
  CHECK(pair.client.error() == Errc::tls_handshake);

  gate.verdict = NameGate::Verdict::wait;
  pair.begin_handshake("a.example.com");
  pair.run([] { return false; }, 20);
  pair.pass_time(Milliseconds(60'000));
  CHECK(gate.count() == 1);
  pair.pass_time(Milliseconds(121'000));
  pair.run([&pair] { return TlsPair::is_settled(pair.server); });
  CHECK(pair.server.error() == Errc::timeout_handshake);
  CHECK(gate.count() == 0);
}

TEST_CASE("tls_context: without certificates every handshake is refused") {
  TlsPair pair(std::make_shared<const CertificateStore>());
  pair.shake_hands();
  CHECK(pair.server.error() == Errc::tls_handshake);
}

TEST_CASE("tls_context: new certificates serve new handshakes, open sessions go on") {
  TlsPair pair;
  pair.shake_hands();
  auto client = std::move(*pair.client);
  auto server = std::move(*pair.server);
  pair.context.set_certificates(store_for({"b.test"}));
  pair.shake_hands("a.test");
  CHECK(pair.client.has_error());
  pair.shake_hands("b.test");
  CHECK(pair.client.has_value());
  CHECK(pair.transfer(*client, *server, "still here") == "still here");
}

TEST_CASE("tls_context: the client refuses another name, an unknown authority, and says so") {
  TlsPair pair(std::make_shared<const CertificateStore>(std::vector<NamedCertificate>{},
                                                        fallback_for({"other.test"})));
  pair.shake_hands("a.test");
  CHECK(pair.client.error() == Errc::tls_certificate);
  CHECK(pair.server.has_error());

  ClientOptions system_roots;
  pair.client_context = std::move(*ClientContext::create(system_roots));
  pair.shake_hands("other.test");
  CHECK(pair.client.error() == Errc::tls_certificate);

  pair.client_context = make_client({"h2"}, true);
  pair.shake_hands("a.test");
  CHECK(pair.client.has_value());
}

TEST_CASE("tls_context: the system's roots are shared until their file changes") {
  const std::string path = temporary_path("system-roots.pem");
  const auto trusts_the_root = [] {
    TlsPair pair;
    pair.client_context = std::move(*ClientContext::create({}));
    pair.shake_hands();
    return pair.client.has_value();
  };
  write_text(path, root_pem());
  ::setenv("SSL_CERT_FILE", path.c_str(), 1);
  CHECK(trusts_the_root());
  CHECK(trusts_the_root());
  write_text(path, make_leaf({"other.test"}).certificate);
  CHECK_FALSE(trusts_the_root());
  ::unsetenv("SSL_CERT_FILE");
  CHECK_FALSE(trusts_the_root());
}

TEST_CASE("tls_context: the client checks addresses as names") {
  TlsPair pair(std::make_shared<const CertificateStore>(std::vector<NamedCertificate>{},
                                                        fallback_for({"192.0.2.1"})));
  pair.shake_hands("192.0.2.1");
  CHECK(pair.client.has_value());
  pair.shake_hands("192.0.2.2");
  CHECK(pair.client.error() == Errc::tls_certificate);
}

TEST_CASE("tls_context: a refusal by the server is no verdict on its certificate") {
  TlsPair pair;
  pair.client_context = make_client({"spdy/3"}, true);
  pair.shake_hands("192.0.2.1");
  CHECK(pair.client.error() == Errc::tls_handshake);
}

TEST_CASE("tls_context: a CA file that cannot be used is named") {
  ClientOptions options;
  options.ca_file = temporary_path("no-such-ca.pem");
  const auto context = ClientContext::create(options);
  REQUIRE(context.has_error());
  CHECK(context.error().find(options.ca_file) != std::string::npos);
}

namespace {

// Enough traffic for the ticket to arrive.
void get_ticket_again(TlsPair& pair) {
  REQUIRE(pair.client.has_value());
  REQUIRE(pair.server.has_value());
  CHECK(pair.transfer(**pair.server, **pair.client, "hello") == "hello");
}

void get_ticket(TlsPair& pair) {
  pair.shake_hands();
  get_ticket_again(pair);
  CHECK_FALSE((*pair.client)->resumed());
}

}  // namespace

TEST_CASE("tls_context: a session resumes on another worker that shares the ticket keys") {
  TlsPair pair;
  const auto certificates = store_for({"a.test"});
  pair.context.set_certificates(certificates);
  get_ticket(pair);

  ServerContext other(pair.keys, {"h2"});
  other.set_certificates(certificates);
  SocketPair sockets = make_socket_pair();
  Handshake server = Errc::would_block;
  pair.client = Errc::would_block;
  spawn(accept_into(std::make_unique<TcpStream>(pair.loop, std::move(sockets.server)), other,
                    pair.loop, server));
  spawn(connect_into(std::make_unique<TcpStream>(pair.loop, std::move(sockets.client)),
                     *pair.client_context, "a.test", pair.loop, pair.client));
  pair.run([&] { return TlsPair::is_settled(pair.client); }, 50);
  char byte = 0;
  (void)(*pair.client)->try_read({&byte, 1});
  pair.run([&] { return TlsPair::is_settled(server); });
  REQUIRE(server.has_value());
  CHECK((*server)->resumed());
  CHECK((*pair.client)->resumed());
}

TEST_CASE("tls_context: tickets survive one rotation of the keys, not two") {
  TlsPair pair;
  get_ticket(pair);
  const auto once = TicketKeys::rotate(*pair.keys);
  pair.context.set_ticket_keys(once);
  pair.shake_hands();
  REQUIRE(pair.client.has_value());
  CHECK((*pair.server)->resumed());

  pair.context.set_ticket_keys(TicketKeys::rotate(*once));
  pair.shake_hands();
  REQUIRE(pair.client.has_value());
  CHECK_FALSE((*pair.server)->resumed());
}

TEST_CASE("tls_context: a resumed TLS 1.3 session gets a fresh ticket") {
  TlsPair pair;
  get_ticket(pair);
  std::shared_ptr<const TicketKeys> keys = pair.keys;
  for (int i = 0; i < 4; ++i) {  // more rotations than one ticket would survive
    keys = TicketKeys::rotate(*keys);
    pair.context.set_ticket_keys(keys);
    pair.shake_hands();
    REQUIRE(pair.client.has_value());
    CHECK((*pair.server)->resumed());
    CHECK(pair.transfer(**pair.server, **pair.client, "hello") == "hello");
  }
}

TEST_CASE("tls_context: sessions resume under every certificate of a store") {
  TlsPair pair(std::make_shared<const CertificateStore>(
      std::vector<NamedCertificate>{{"a.test", certificate_for({"a.test"}), false},
                                    {"b.test", certificate_for({"b.test"}), true}}));
  for (const bool resumed : {false, true}) {
    for (const std::string& name : {std::string("a.test"), std::string("b.test")}) {
      pair.shake_hands(name);
      get_ticket_again(pair);
      CHECK((*pair.server)->resumed() == resumed);
    }
  }
}

TEST_CASE("tls_context: a ticket is not taken back under other rules or by another certificate") {
  TlsPair pair;
  get_ticket(pair);
  pair.context.set_certificates(store_for({"a.test"}));  // renewed: the same names and rules
  pair.shake_hands();
  REQUIRE(pair.server.has_value());
  CHECK((*pair.server)->resumed());

  get_ticket_again(pair);
  pair.context.set_certificates(store_for({"a.test"}, true));
  pair.shake_hands();
  REQUIRE(pair.server.has_value());
  CHECK_FALSE((*pair.server)->resumed());

  get_ticket_again(pair);
  pair.context.set_certificates(store_for({"a.test", "b.test"}, true));
  pair.shake_hands();
  REQUIRE(pair.server.has_value());
  CHECK_FALSE((*pair.server)->resumed());
}
