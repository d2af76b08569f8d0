#include <cstdlib>
#include <memory>
#include <mutex>
#include <optional>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.hpp"
#include "base/file_stamp.hpp"
#include "base/ip_address.hpp"
#include "net/tls_context.hpp"
#include "net/tls_policy.hpp"

namespace portero::net {
namespace {

// The system's roots. Reading them takes 20 ms and 450 kB, so all contexts share them until the
// file changes. Thread: any.
class SystemRoots {
 public:
  // nullptr when they cannot be read.
  std::shared_ptr<X509_STORE> get() {
    const std::lock_guard lock(mutex_);
    const char* const named = std::getenv(X509_get_default_cert_file_env());
    const FileStamp now = FileStamp::of(named != nullptr ? named : X509_get_default_cert_file());
    if (store_ && now == read_) return store_;
    store_.reset(X509_STORE_new(), &X509_STORE_free);
    if (X509_STORE_set_default_paths(store_.get()) != 1) store_ = nullptr;
    read_ = now;
    return store_;
  }

 private:
  std::mutex mutex_;  // guards everything below
  std::shared_ptr<X509_STORE> store_;
  FileStamp read_;
};

bool trust_system_roots(SSL_CTX* context) {
  static SystemRoots roots;
  const std::shared_ptr<X509_STORE> store = roots.get();
  if (store) SSL_CTX_set1_cert_store(context, store.get());
  return store != nullptr;
}

}  // namespace

struct ClientCallbacks {
  // Keeps the newest ticket of a name. Returns 1 when it keeps the reference.
  static int on_session(SSL* session, SSL_SESSION* ticket) {
    auto* const client =
        static_cast<ClientContext*>(SSL_CTX_get_app_data(SSL_get_SSL_CTX(session)));
    const char* const name = SSL_get_servername(session, TLSEXT_NAMETYPE_host_name);
    if (client == nullptr || name == nullptr) return 0;
    if (client->sessions_.size() >= ClientContext::sessions_max) client->sessions_.clear();
    client->sessions_.insert_or_assign(name, ClientContext::SessionPointer(ticket));
    return 1;
  }
};

Explained<std::unique_ptr<ClientContext>> ClientContext::create(const ClientOptions& options) {
  ContextPointer made(SSL_CTX_new(TLS_client_method()));
  SSL_CTX* const context = made.get();
  PORTERO_ASSERT(context != nullptr);
  apply_tls_policy(context);
  const bool has_roots = options.ca_file.empty()
                             ? options.insecure || trust_system_roots(context)
                             : SSL_CTX_load_verify_file(context, options.ca_file.c_str()) == 1;
  if (!has_roots) {
    const char* const reason = ERR_reason_error_string(ERR_peek_error());
    std::string text = "cannot read trusted certificates from " + options.ca_file;
    if (reason != nullptr) text += std::string(" (") + reason + ")";
    ERR_clear_error();
    return text;
  }
  ERR_clear_error();
  SSL_CTX_set_verify(context, options.insecure ? SSL_VERIFY_NONE : SSL_VERIFY_PEER, nullptr);
  if (!options.certificate_file.empty() &&
      (SSL_CTX_use_certificate_chain_file(context, options.certificate_file.c_str()) != 1 ||
       SSL_CTX_use_PrivateKey_file(context, options.key_file.c_str(), SSL_FILETYPE_PEM) != 1 ||
       SSL_CTX_check_private_key(context) != 1)) {
    const char* const reason = ERR_reason_error_string(ERR_peek_error());
    std::string text = "cannot use the certificate " + options.certificate_file + " with the key " +
                       options.key_file;
    if (reason != nullptr) text += std::string(" (") + reason + ")";
    ERR_clear_error();
    return text;
  }
  const std::string protocols = alpn_wire_form(options.protocols);
  SSL_CTX_set_alpn_protos(context, bytes_of(protocols), static_cast<unsigned>(protocols.size()));
  SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
  SSL_CTX_sess_set_new_cb(context, &ClientCallbacks::on_session);
  return std::unique_ptr<ClientContext>(new ClientContext(std::move(made)));
}

ClientContext::ClientContext(ContextPointer context) noexcept : context_(std::move(context)) {
  SSL_CTX_set_app_data(context_.get(), this);
}

ClientContext::~ClientContext() { SSL_CTX_set_app_data(context_.get(), nullptr); }

TlsSession ClientContext::make_session(const std::string& server_name) {
  TlsSession made(SSL_new(context_.get()));
  SSL* const session = made.get();
  if (session == nullptr) return nullptr;
  SSL_set_connect_state(session);
  if (const std::optional<IpAddress> address = IpAddress::parse(server_name)) {
    const std::string text = address->to_string();
    if (X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(session), text.c_str()) != 1) return nullptr;
    return made;
  }
  SSL_set_hostflags(session, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
  if (SSL_set_tlsext_host_name(session, server_name.c_str()) != 1) return nullptr;
  if (SSL_set1_host(session, server_name.c_str()) != 1) return nullptr;
  const auto earlier = sessions_.find(server_name);
  if (earlier != sessions_.end()) SSL_set_session(session, earlier->second.get());
  return made;
}

}  // namespace portero::net
