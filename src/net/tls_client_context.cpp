#include <optional>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "base/assert.hpp"
#include "base/ip_address.hpp"
#include "net/tls_context.hpp"
#include "net/tls_policy.hpp"

namespace portero::net {

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
  const int roots = options.ca_file.empty()
                        ? SSL_CTX_set_default_verify_paths(context)
                        : SSL_CTX_load_verify_file(context, options.ca_file.c_str());
  if (roots != 1) {
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
