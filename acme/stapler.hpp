// Keeps OCSP responses of the certificates in use, for as long as these name a responder: fetched,
// verified, kept on disk, and fetched anew when half of their life is over.
//   <storage>/ocsp/<SHA-256 of the certificate>.der
// Thread: public functions any; the hooks are called on a thread of its own. Owner: the certificate
// keeper.
#pragma once

#include <condition_variable>
#include <ctime>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "acme/curl_client.hpp"
#include "acme/ocsp.hpp"
#include "acme/stop_signal.hpp"

namespace portero::acme {

class Stapler {
 public:
  using SharedCertificate = std::shared_ptr<const net::CertificateData>;
  struct Hooks {
    std::function<void()> changed;  // a staple is new, or gone
    std::function<void(const net::CertificateData&, const std::string& why)> revoked;
    std::function<std::time_t()> clock;
  };

  Stapler(const std::string& storage, Hooks hooks);
  ~Stapler();
  Stapler(const Stapler&) = delete;
  Stapler& operator=(const Stapler&) = delete;

  // Replaces what is watched. What is on disk and still good is there at once: returns whether that
  // is so of any.
  bool set_certificates(const std::vector<SharedCertificate>& certificates);
  // nullptr = none, or none that is still good.
  std::shared_ptr<const std::string> staple(const net::CertificateData& certificate) const;
  void stop();

 private:
  struct Entry {
    SharedCertificate certificate;
    std::string url;
    std::shared_ptr<const std::string> staple;
    std::time_t good_until = 0;
    std::time_t due = 0;
    unsigned failures = 0;
    bool is_revoked = false;
  };

  void run();
  void refresh(const std::string& id, std::unique_lock<std::mutex>& lock);
  void take(Entry& entry, std::string der, const OcspAnswer& answer) const;
  bool load(const std::string& id, Entry& entry) const;
  std::string path_of(const std::string& id) const;

  const std::string folder_;
  const Hooks hooks_;
  StopSignal stop_;
  CurlClient http_;
  mutable std::mutex mutex_;
  std::condition_variable work_;
  std::map<std::string, Entry> entries_;  // by fingerprint
  bool ending_ = false;
  std::thread thread_;  // begins with the first certificate that names a responder
};

}  // namespace portero::acme
