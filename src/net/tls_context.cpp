#include "net/tls_context.hpp"

#include <algorithm>
#include <cstring>
#include <optional>

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/params.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.hpp"
#include "base/bytes.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"
#include "net/tls_policy.hpp"
#include "net/tls_wire.hpp"

namespace portero::net {
namespace {

constexpr std::size_t server_name_bytes_max = 253;  // RFC 1035 §2.3.4, as text

// The host name of a ClientHello; "" when there is none, nullopt when the extension is malformed.
// Source: RFC 6066 §3.
std::optional<std::string_view> requested_name(SSL* session) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  if (SSL_client_hello_get0_ext(session, TLSEXT_TYPE_server_name, &data, &size) != 1) return "";
  const std::string_view extension(reinterpret_cast<const char*>(data), size);
  constexpr std::size_t prefix_bytes = 5;  // list length, name type, name length
  if (size < prefix_bytes || data[2] != TLSEXT_NAMETYPE_host_name) return std::nullopt;
  const std::size_t list_bytes = static_cast<std::size_t>(data[0] << 8 | data[1]);
  const std::size_t name_bytes = static_cast<std::size_t>(data[3] << 8 | data[4]);
  if (list_bytes + 2 != size || name_bytes + prefix_bytes > size) return std::nullopt;
  std::string_view name = extension.substr(prefix_bytes, name_bytes);
  if (name.ends_with('.')) name.remove_suffix(1);
  if (name.size() > server_name_bytes_max) return std::nullopt;
  return name;
}

// Whether the client offers acme-tls/1 and nothing else. Source: RFC 8737 §3.
bool asks_for_challenge(SSL* session) {
  const unsigned char* data = nullptr;
  std::size_t size = 0;
  constexpr int alpn = TLSEXT_TYPE_application_layer_protocol_negotiation;
  if (SSL_client_hello_get0_ext(session, alpn, &data, &size) != 1) return false;
  constexpr std::string_view name = ServerContext::challenge_protocol;
  constexpr std::size_t prefix_bytes = 3;  // length of the list, of the name
  return size == prefix_bytes + name.size() &&
         std::memcmp(data + prefix_bytes, name.data(), name.size()) == 0;
}

std::string_view lower_case(std::string_view name, std::array<char, server_name_bytes_max>& into) {
  std::transform(name.begin(), name.end(), into.begin(), &ascii_lower);
  return {into.data(), name.size()};
}

TicketKeys::Key random_key() {
  TicketKeys::Key key{};
  static_assert(sizeof key == sizeof key.name + sizeof key.cipher + sizeof key.mac);
  fill_random({reinterpret_cast<char*>(&key), sizeof key});
  return key;
}

bool key_ticket(const TicketKeys::Key& key, const unsigned char* iv, EVP_CIPHER_CTX* cipher,
                EVP_MAC_CTX* mac, bool sealing) {
  static const EVP_CIPHER* const aes = EVP_CIPHER_fetch(nullptr, "AES-256-CBC", nullptr);
  char digest[] = "SHA256";
  auto* const mac_key = const_cast<unsigned char*>(key.mac.data());
  const OSSL_PARAM parameters[] = {
      OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, mac_key, key.mac.size()),
      OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
      OSSL_PARAM_construct_end()};
  return EVP_MAC_CTX_set_params(mac, parameters) == 1 &&
         EVP_CipherInit_ex2(cipher, aes, key.cipher.data(), iv, sealing ? 1 : 0, nullptr) == 1;
}

// Tickets are only taken back for the names and policy they were given for, whatever certificate
// stands for them by then. Source: RFC 8446 §4.6.1; CVE-2025-23419 shows why.
std::string session_scope(const CertificateStore::Identity& identity) {
  std::string text = identity.tls13_only ? "1.3" : "1.2";
  for (const std::string& name : identity.certificate->names) text += " " + name;
  if (const ClientAuth* const auth = identity.client_auth.get(); auth != nullptr) {
    text += auth->mode == ClientAuth::Mode::require ? " require " : " request ";
    text += sha256_hex(auth->roots_pem);
  }
  return sha256_hex(text).substr(0, SSL_MAX_SID_CTX_LENGTH);
}

// Copies, because reference counts shared by all workers are cache lines shared by all workers.
bool use_certificate(SSL_CTX* context, const CertificateData& data) {
  const CertificatePointer leaf(X509_dup(data.leaf.get()));
  const KeyPointer key(EVP_PKEY_dup(data.key.get()));
  if (SSL_CTX_use_certificate(context, leaf.get()) != 1) return false;
  if (SSL_CTX_use_PrivateKey(context, key.get()) != 1) return false;
  for (const CertificatePointer& issuer : data.chain) {
    CertificatePointer copy(X509_dup(issuer.get()));
    if (SSL_CTX_add0_chain_cert(context, copy.get()) != 1) return false;
    copy.release();
  }
  return true;
}

// Errors: false when the roots hold no certificate, which has been checked before.
bool ask_for_certificate(SSL_CTX* context, const ClientAuth& auth,
                         int (*accept_any)(int, X509_STORE_CTX*)) {
  const int must = auth.mode == ClientAuth::Mode::require ? SSL_VERIFY_FAIL_IF_NO_PEER_CERT : 0;
  if (auth.roots_pem.empty()) {
    SSL_CTX_set_verify(context, SSL_VERIFY_PEER | must, accept_any);
    return true;
  }
  SSL_CTX_set_verify(context, SSL_VERIFY_PEER | must, nullptr);
  const Explained<std::vector<CertificatePointer>> roots = parse_certificates(auth.roots_pem);
  if (!roots) return false;
  for (const CertificatePointer& root : *roots) {
    if (X509_STORE_add_cert(SSL_CTX_get_cert_store(context), root.get()) != 1) return false;
    if (SSL_CTX_add_client_CA(context, root.get()) != 1) return false;
  }
  return true;
}

using SharedStaple = std::shared_ptr<const std::string>;

void free_staple(void* /*context*/, void* staple, CRYPTO_EX_DATA* /*data*/, int /*index*/,
                 long /*number*/, void* /*argument*/) {
  delete static_cast<SharedStaple*>(staple);
}

}  // namespace

void FreeTls::operator()(ssl_st* session) const noexcept { SSL_free(session); }
void FreeTls::operator()(ssl_ctx_st* context) const noexcept { SSL_CTX_free(context); }
void FreeTls::operator()(ssl_session_st* session) const noexcept { SSL_SESSION_free(session); }

std::shared_ptr<const TicketKeys> TicketKeys::make() {
  return std::make_shared<const TicketKeys>(TicketKeys{random_key(), random_key()});
}

std::shared_ptr<const TicketKeys> TicketKeys::rotate(const TicketKeys& old) {
  return std::make_shared<const TicketKeys>(TicketKeys{random_key(), old.current});
}

struct ServerCallbacks {
  static ServerContext* owner(SSL* session) noexcept {
    return static_cast<ServerContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
  }

  // Chooses the certificate before anything else of the ClientHello counts: later (in the server
  // name callback) a session may have been resumed under another name's rules.
  static int on_client_hello(SSL* session, int* alert, void* /*argument*/) {
    ServerContext* const server = owner(session);
    *alert = SSL_AD_INTERNAL_ERROR;
    if (server == nullptr) return SSL_CLIENT_HELLO_ERROR;
    const std::optional<std::string_view> name = requested_name(session);
    *alert = SSL_AD_DECODE_ERROR;
    if (!name) return SSL_CLIENT_HELLO_ERROR;
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    if (server->challenges_ != nullptr && asks_for_challenge(session)) {
      std::array<char, server_name_bytes_max> lower;
      SSL_CTX* const proof = server->challenge_context(lower_case(*name, lower));
      if (proof == nullptr) return SSL_CLIENT_HELLO_ERROR;
      SSL_set_SSL_CTX(session, proof);
      return SSL_CLIENT_HELLO_SUCCESS;
    }
    *alert = SSL_AD_ACCESS_DENIED;
    if (server->guard_ != nullptr && !passes_guard(*server, session, *name)) {
      return SSL_CLIENT_HELLO_ERROR;
    }
    *alert = SSL_AD_UNRECOGNIZED_NAME;
    const std::size_t identity = find_identity(*server, session, *name);
    if (identity == CertificateStore::none) return SSL_CLIENT_HELLO_ERROR;
    if (!name->empty() && server->certificates_->identities()[identity].on_demand) {
      return ask_gate(*server, session, *name);
    }
    SSL_CTX* const context = server->context_of(identity);
    *alert = SSL_AD_INTERNAL_ERROR;
    if (context == nullptr) return SSL_CLIENT_HELLO_ERROR;
    if (context != SSL_get_SSL_CTX(session)) {
      SSL_set_SSL_CTX(session, context);
      SSL_set_min_proto_version(session, SSL_CTX_get_min_proto_version(context));
      // The session has taken these over from the context that it was made with.
      SSL_set_verify(session, SSL_CTX_get_verify_mode(context),
                     SSL_CTX_get_verify_callback(context));
    }
    return SSL_CLIENT_HELLO_SUCCESS;
  }

  static bool passes_guard(const ServerContext& server, SSL* session, std::string_view name) {
    const auto* wire = static_cast<const TlsWire*>(BIO_get_data(SSL_get_rbio(session)));
    std::array<char, server_name_bytes_max> lower;
    return server.guard_->admits(lower_case(name, lower), wire->client());
  }

  static int accept_any(int /*verified*/, X509_STORE_CTX* /*chain*/) { return 1; }

  static int ask_gate(const ServerContext& server, SSL* session, std::string_view name) {
    const auto* wire = static_cast<const TlsWire*>(BIO_get_data(SSL_get_rbio(session)));
    std::array<char, server_name_bytes_max> lower;
    const bool waits =
        server.gate_ != nullptr &&
        server.gate_->ask(lower_case(name, lower), wire->client()) == NameGate::Verdict::wait;
    return waits ? SSL_CLIENT_HELLO_RETRY : SSL_CLIENT_HELLO_ERROR;
  }

  static int on_status_request(SSL* session, void* argument) {
    const std::string& response = **static_cast<SharedStaple*>(argument);
    void* const copy = OPENSSL_memdup(response.data(), response.size());
    if (copy == nullptr) return SSL_TLSEXT_ERR_NOACK;
    SSL_set_tlsext_status_ocsp_resp(session, copy, static_cast<long>(response.size()));
    return SSL_TLSEXT_ERR_OK;
  }

  // The context owns the response, as sessions keep it longer than the store that it came from.
  static void staple(SSL_CTX* context, const SharedStaple& response) {
    static const int index = SSL_CTX_get_ex_new_index(0, nullptr, nullptr, nullptr, &free_staple);
    auto owned = std::make_unique<SharedStaple>(response);
    SSL_CTX_set_tlsext_status_cb(context, &on_status_request);
    SSL_CTX_set_tlsext_status_arg(context, owned.get());
    if (SSL_CTX_set_ex_data(context, index, owned.get()) == 1) {
      owned.release();
    } else {
      SSL_CTX_set_tlsext_status_cb(context, nullptr);
    }
  }

  // A client that connects to an address sends no name: then the address is the name.
  static std::size_t find_identity(const ServerContext& server, SSL* session,
                                   std::string_view name) {
    const CertificateStore& store = *server.certificates_;
    if (name.empty()) {
      const auto* wire = static_cast<const TlsWire*>(BIO_get_data(SSL_get_rbio(session)));
      return store.find(wire->local_address().ip().to_string());
    }
    std::array<char, server_name_bytes_max> lower;
    return store.find(lower_case(name, lower));
  }

  static int on_protocols(SSL* session, const unsigned char** chosen, unsigned char* chosen_size,
                          const unsigned char* offered, unsigned offered_size, void* /*argument*/) {
    const ServerContext* const server = owner(session);
    if (server == nullptr) return SSL_TLSEXT_ERR_ALERT_FATAL;
    unsigned char* match = nullptr;
    const int outcome = SSL_select_next_proto(&match, chosen_size, bytes_of(server->protocols_),
                                              static_cast<unsigned>(server->protocols_.size()),
                                              offered, offered_size);
    *chosen = match;
    return outcome == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
  }

  static int on_challenge_protocol(SSL* /*session*/, const unsigned char** chosen,
                                   unsigned char* chosen_size, const unsigned char* offered,
                                   unsigned /*offered_size*/, void* /*argument*/) {
    *chosen = offered + 1;  // asks_for_challenge() has seen that it is the only one
    *chosen_size = *offered;
    return SSL_TLSEXT_ERR_OK;
  }

  // Returns 1: key set; 2: key set, and the ticket is to be renewed; 0: unknown key, so a full
  // handshake; -1: failure.
  static int on_ticket(SSL* session, unsigned char* key_name, unsigned char* iv,
                       EVP_CIPHER_CTX* cipher, EVP_MAC_CTX* mac, int sealing) {
    const ServerContext* const server = owner(session);
    if (server == nullptr) return -1;
    const TicketKeys& keys = *server->keys_;
    if (sealing == 1) {
      std::memcpy(key_name, keys.current.name.data(), keys.current.name.size());
      constexpr std::size_t iv_bytes = 16;
      fill_random({reinterpret_cast<char*>(iv), iv_bytes});
      return key_ticket(keys.current, iv, cipher, mac, true) ? 1 : -1;
    }
    const auto named = [key_name](const TicketKeys::Key& key) {
      return std::memcmp(key_name, key.name.data(), key.name.size()) == 0;
    };
    const bool is_current = named(keys.current);
    if (!is_current && !named(keys.previous)) return 0;
    const TicketKeys::Key& key = is_current ? keys.current : keys.previous;
    if (!key_ticket(key, iv, cipher, mac, false)) return -1;
    // A TLS 1.3 ticket is used once, so that its use cannot be linked: the client gets another.
    return is_current && SSL_version(session) != TLS1_3_VERSION ? 1 : 2;
  }
};

ServerContext::ServerContext(std::shared_ptr<const TicketKeys> keys,
                             std::vector<std::string> protocols)
    : keys_(std::move(keys)),
      protocols_(alpn_wire_form(protocols)),
      certificates_(std::make_shared<const CertificateStore>()),
      bare_(make_context(nullptr)) {}

ServerContext::~ServerContext() {
  for (const ContextPointer& context : contexts_) {
    if (context != nullptr) SSL_CTX_set_app_data(context.get(), nullptr);
  }
  for (const auto& [name, context] : challenge_contexts_) {
    SSL_CTX_set_app_data(context.get(), nullptr);
  }
  SSL_CTX_set_app_data(bare_.get(), nullptr);
}

void ServerContext::set_certificates(std::shared_ptr<const CertificateStore> certificates) {
  const std::vector<CertificateStore::Identity>& wanted = certificates->identities();
  std::vector<ContextPointer> contexts(wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    const std::size_t same = certificates_->index_of(wanted[i]);
    if (same != CertificateStore::none) contexts[i] = std::move(contexts_[same]);
  }
  contexts_.swap(contexts);
  certificates_ = std::move(certificates);
}

void ServerContext::set_challenges(std::shared_ptr<const CertificateStore> challenges) {
  for (const auto& [name, context] : challenge_contexts_) {
    SSL_CTX_set_app_data(context.get(), nullptr);
  }
  challenge_contexts_.clear();
  challenges_ = std::move(challenges);
}

ssl_ctx_st* ServerContext::challenge_context(std::string_view name) {
  const std::size_t found = challenges_->find(name);
  if (found == CertificateStore::none) return nullptr;
  const auto known = challenge_contexts_.find(name);
  if (known != challenge_contexts_.end()) return known->second.get();
  ContextPointer made = make_context(&challenges_->identities()[found]);
  if (made == nullptr) return nullptr;
  SSL_CTX_set_alpn_select_cb(made.get(), &ServerCallbacks::on_challenge_protocol, nullptr);
  SSL_CTX_set_num_tickets(made.get(), 0);
  return challenge_contexts_.emplace(name, std::move(made)).first->second.get();
}

void ServerContext::set_ticket_keys(std::shared_ptr<const TicketKeys> keys) noexcept {
  PORTERO_ASSERT(keys != nullptr);
  keys_ = std::move(keys);
}

void ServerContext::set_protocols(const std::vector<std::string>& protocols) {
  protocols_ = alpn_wire_form(protocols);
}

TlsSession ServerContext::make_session() {
  // Most servers have few certificates: the right one at once saves the switch in on_client_hello.
  SSL_CTX* context = contexts_.empty() ? nullptr : context_of(0);
  if (context == nullptr) context = bare_.get();
  TlsSession session(SSL_new(context));
  if (session != nullptr) SSL_set_accept_state(session.get());
  return session;
}

ssl_ctx_st* ServerContext::context_of(std::size_t identity) {
  ContextPointer& context = contexts_[identity];
  if (context == nullptr) context = make_context(&certificates_->identities()[identity]);
  return context.get();
}

ServerContext::ContextPointer ServerContext::make_context(
    const CertificateStore::Identity* identity) {
  ContextPointer made(SSL_CTX_new(TLS_server_method()));
  SSL_CTX* const context = made.get();
  PORTERO_ASSERT(context != nullptr);
  apply_tls_policy(context);
  SSL_CTX_set_app_data(context, this);
  SSL_CTX_set_client_hello_cb(context, &ServerCallbacks::on_client_hello, nullptr);
  SSL_CTX_set_alpn_select_cb(context, &ServerCallbacks::on_protocols, nullptr);
  SSL_CTX_set_tlsext_ticket_key_evp_cb(context, &ServerCallbacks::on_ticket);
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
  SSL_CTX_set_timeout(context, std::chrono::seconds(TicketKeys::lifetime).count());
  SSL_CTX_set_num_tickets(context, 1);  // each costs 165,000 of 2,500,000 instructions
  SSL_CTX_set_mode(context, SSL_MODE_NO_AUTO_CHAIN);  // or OpenSSL searches one per handshake
  if (identity == nullptr) return made;
  if (identity->tls13_only) SSL_CTX_set_min_proto_version(context, TLS1_3_VERSION);
  if (identity->staple != nullptr) ServerCallbacks::staple(context, identity->staple);
  const std::string scope = session_scope(*identity);
  SSL_CTX_set_session_id_context(context, bytes_of(scope), static_cast<unsigned>(scope.size()));
  const bool asks =
      identity->client_auth == nullptr ||
      ask_for_certificate(context, *identity->client_auth, &ServerCallbacks::accept_any);
  if (asks && use_certificate(context, *identity->certificate)) return made;
  const char* const reason = ERR_reason_error_string(ERR_peek_last_error());
  log::error("tls.certificate_refused", log::kv("reason", reason == nullptr ? "" : reason));
  ERR_clear_error();
  SSL_CTX_set_app_data(context, nullptr);
  return nullptr;
}

}  // namespace portero::net
