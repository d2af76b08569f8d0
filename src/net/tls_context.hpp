// What TLS sessions have in common: certificates, protocol choice, ticket keys. Hides SSL_CTX.
//
// Each worker has contexts of its own, with copies of certificates and keys: OpenSSL 3.0 takes
// locks and counts references inside them, which handshakes on several cores would fight for.
// Policy: TLS 1.2 and 1.3, ECDHE with AEAD only, no renegotiation, no compression, no early data.
// Source: RFC 8446, RFC 9325.
// Thread: the worker's; TicketKeys and CertificateStore are immutable and shared by all.
#pragma once

#include <array>
#include <chrono>
#include <ctime>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "net/certificate_store.hpp"
#include "net/handshake_guard.hpp"
#include "net/name_gate.hpp"

struct ssl_st;
struct ssl_ctx_st;
struct ssl_session_st;

namespace portero::net {

struct FreeTls {
  void operator()(ssl_st* session) const noexcept;
  void operator()(ssl_ctx_st* context) const noexcept;
  void operator()(ssl_session_st* session) const noexcept;
};
using TlsSession = std::unique_ptr<ssl_st, FreeTls>;

// The keys that session tickets are sealed with. Control makes them, gives them to every worker and
// replaces them every `lifetime`, so that a stolen key opens at most two lifetimes of traffic that
// was resumed without a fresh key exchange, and a client can resume on any worker.
struct TicketKeys {
  static constexpr std::chrono::hours lifetime{12};

  struct Key {
    std::array<unsigned char, 16> name;
    std::array<unsigned char, 32> cipher;
    std::array<unsigned char, 32> mac;
  };
  Key current;
  Key previous;  // still opens tickets, seals none

  // Two fresh random keys.
  static std::shared_ptr<const TicketKeys> make();
  // A fresh current key; the old one becomes the previous.
  static std::shared_ptr<const TicketKeys> rotate(const TicketKeys& old);
};

class ServerContext {
 public:
  // `protocols`: ALPN names, best first; a client that offers others only is refused with
  // no_application_protocol, one that offers none gets none. Source: RFC 7301 §3.2.
  ServerContext(std::shared_ptr<const TicketKeys> keys, std::vector<std::string> protocols);
  ServerContext(const ServerContext&) = delete;
  ServerContext& operator=(const ServerContext&) = delete;
  ~ServerContext();

  // Replaces what new handshakes use; sessions that are open keep what they have.
  void set_certificates(std::shared_ptr<const CertificateStore> certificates);
  // Certificates that prove control over their names to clients that offer the protocol acme-tls/1
  // only; such a session is of no other use. nullptr: none. Source: RFC 8737.
  void set_challenges(std::shared_ptr<const CertificateStore> challenges);
  static constexpr std::string_view challenge_protocol = "acme-tls/1";
  // Who is asked about names that only a stand-in covers; nullptr: they are refused.
  void set_name_gate(NameGate* gate) noexcept { gate_ = gate; }
  NameGate* name_gate() const noexcept { return gate_; }
  // Who is asked about every handshake; nullptr: nobody.
  void set_guard(HandshakeGuard* guard) noexcept { guard_ = guard; }
  void set_ticket_keys(std::shared_ptr<const TicketKeys> keys) noexcept;
  void set_protocols(const std::vector<std::string>& protocols);

  // A session that will accept; nullptr when OpenSSL has no memory. This context outlives its
  // handshake.
  TlsSession make_session();

 private:
  friend struct ServerCallbacks;  // the callbacks that OpenSSL calls, in the .cpp
  using ContextPointer = std::unique_ptr<ssl_ctx_st, FreeTls>;

  // The SSL_CTX of an identity, made at its first use; nullptr when OpenSSL refuses it.
  ssl_ctx_st* context_of(std::size_t identity);
  ContextPointer make_context(const CertificateStore::Identity* identity);
  ssl_ctx_st* challenge_context(std::string_view name);

  std::shared_ptr<const TicketKeys> keys_;
  std::string protocols_;  // in wire form
  std::shared_ptr<const CertificateStore> certificates_;
  std::vector<ContextPointer> contexts_;  // by identity; nullptr = not made yet
  std::shared_ptr<const CertificateStore> challenges_;
  std::map<std::string, ContextPointer, std::less<>> challenge_contexts_;  // by server name
  NameGate* gate_ = nullptr;
  HandshakeGuard* guard_ = nullptr;
  ContextPointer bare_;  // for sessions while there is no certificate
};

struct ClientOptions {
  std::string ca_file;    // PEM; "" = the system's roots
  bool insecure = false;  // accept any certificate
  std::vector<std::string> protocols{"http/1.1"};
  std::string certificate_file = {};  // PEM: who this side is; "" = nobody
  std::string key_file = {};
};

class ClientContext {
 public:
  // Errors: the CA file cannot be read or holds no certificate.
  static Explained<std::unique_ptr<ClientContext>> create(const ClientOptions& options);
  ClientContext(const ClientContext&) = delete;
  ClientContext& operator=(const ClientContext&) = delete;
  ~ClientContext();

  // A session that will connect, checks the certificate for `server_name` (a DNS name or an IP
  // address) and resumes an earlier session with that name. nullptr when OpenSSL refuses the name.
  TlsSession make_session(const std::string& server_name);

 private:
  friend struct ClientCallbacks;
  using ContextPointer = std::unique_ptr<ssl_ctx_st, FreeTls>;
  using SessionPointer = std::unique_ptr<ssl_session_st, FreeTls>;
  static constexpr std::size_t sessions_max = 256;

  explicit ClientContext(ContextPointer context) noexcept;

  ContextPointer context_;
  std::map<std::string, SessionPointer, std::less<>> sessions_;  // the newest ticket of each name
};

}  // namespace portero::net
