#include "acme/challenge_board.hpp"

#include <ctime>
#include <stdexcept>

#include <fmt/format.h>

#include "acme/certificate.hpp"
#include "acme/openssl_parts.hpp"
#include "base/ip_address.hpp"

namespace portero::acme {
namespace {

constexpr std::time_t hour = 3600;

// The self-signed certificate that proves control. Source: RFC 8737 §3.
std::shared_ptr<const net::CertificateData> proof(const std::string& name,
                                                  const std::string& authorization) {
  const std::time_t now = std::time(nullptr);
  CertificateRequest request;
  request.names = {name};
  request.not_before = now - hour;
  request.not_after = now + 24 * hour;
  request.acme_identifier = sha256(authorization);
  const MadeCertificate made = make_certificate(request, nullptr);
  auto data = net::parse_certificate(made.certificate_pem, made.key_pem);
  if (!data) throw std::runtime_error(data.error());
  return *data;
}

}  // namespace

std::string key_authorization(const std::string& token, const AccountKey& key) {
  return token + "." + key.thumbprint();
}

std::string challenge_server_name(const std::string& name) {
  const std::optional<IpAddress> address = IpAddress::parse(name);
  if (!address) return name;
  std::string reverse;
  const auto& bytes = address->bytes;
  if (address->is_v4()) {
    return fmt::format("{}.{}.{}.{}.in-addr.arpa", bytes[15], bytes[14], bytes[13], bytes[12]);
  }
  for (std::size_t i = bytes.size(); i > 0; --i) {
    reverse += fmt::format("{:x}.{:x}.", bytes[i - 1] & 15, bytes[i - 1] >> 4);
  }
  return reverse + "ip6.arpa";
}

void ChallengeBoard::publish() {
  if (http_.empty() && tls_.empty()) {
    publish_(nullptr);
    return;
  }
  auto answers = std::make_shared<ChallengeAnswers>();
  answers->http = http_;
  std::vector<net::NamedCertificate> entries;
  for (const auto& [name, certificate] : tls_) entries.push_back({name, certificate, false});
  if (!entries.empty()) answers->tls = std::make_shared<const net::CertificateStore>(entries);
  publish_(std::move(answers));
}

ChallengeBoard::Posted::Posted(ChallengeBoard& board, const std::string& kind,
                               const std::string& name, const std::string& token,
                               const AccountKey& key)
    : board_(board), http_(kind == "http-01") {
  const std::string authorization = key_authorization(token, key);
  if (http_) {
    key_ = token;
    const std::lock_guard<std::mutex> lock(board_.mutex_);
    board_.http_[key_] = authorization;
    board_.publish();
    return;
  }
  key_ = challenge_server_name(name);
  std::shared_ptr<const net::CertificateData> certificate = proof(name, authorization);
  const std::lock_guard<std::mutex> lock(board_.mutex_);
  board_.tls_[key_] = std::move(certificate);
  board_.publish();
}

ChallengeBoard::Posted::~Posted() {
  const std::lock_guard<std::mutex> lock(board_.mutex_);
  if (http_) {
    board_.http_.erase(key_);
  } else {
    board_.tls_.erase(key_);
  }
  board_.publish();
}

}  // namespace portero::acme
