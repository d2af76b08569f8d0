// What this server answers to certificate authorities at the moment. A change reaches every worker
// before add() returns, so the authority is told only when each of them knows the answer.
// Thread: any. Owner: the ACME service.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "acme/jws.hpp"
#include "net/certificate_store.hpp"

namespace portero::acme {

// Immutable; shared by the workers. nullptr stands for no answers.
struct ChallengeAnswers {
  // Token -> body of /.well-known/acme-challenge/<token>. Source: RFC 8555 §8.3.
  std::map<std::string, std::string, std::less<>> http;
  // Served to clients that offer acme-tls/1 only. Source: RFC 8737.
  std::shared_ptr<const net::CertificateStore> tls;
};

// "token.thumbprint". Source: RFC 8555 §8.1.
std::string key_authorization(const std::string& token, const AccountKey& key);

// The server name by which an authority asks for a name; addresses are asked for by their reverse
// name. Source: RFC 8737 §3, RFC 8738 §6.
std::string challenge_server_name(const std::string& name);

class ChallengeBoard {
 public:
  // Returns when every worker answers by the new set, or will never answer again.
  using Publish = std::function<void(std::shared_ptr<const ChallengeAnswers>)>;

  explicit ChallengeBoard(Publish publish) : publish_(std::move(publish)) {}

  // One answer, of kind "http-01" or "tls-alpn-01", for as long as it lives.
  class Posted {
   public:
    Posted(ChallengeBoard& board, const std::string& kind, const std::string& name,
           const std::string& token, const AccountKey& key);
    Posted(const Posted&) = delete;
    Posted& operator=(const Posted&) = delete;
    ~Posted();

   private:
    ChallengeBoard& board_;
    std::string key_;
    bool http_;
  };

 private:
  void publish();

  std::mutex mutex_;
  Publish publish_;
  std::map<std::string, std::string, std::less<>> http_;
  std::map<std::string, std::shared_ptr<const net::CertificateData>> tls_;
};

}  // namespace portero::acme
