// Keeps the certificates of all sites: those of public authorities, of the internal CA, of the
// user's files and of names on demand, with their OCSP responses; tells hooks what happens to them.
// Thread: control; ask() any. Owner: the server, which outlives it with workers and control loop.
#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "acme/event_sender.hpp"
#include "acme/expiry_watch.hpp"
#include "acme/internal_ca.hpp"
#include "acme/on_demand.hpp"
#include "acme/service.hpp"
#include "acme/stapler.hpp"
#include "certificates.hpp"
#include "conf/config.hpp"

namespace portero {

class CertificateKeeper {
 public:
  using SharedConfig = std::shared_ptr<const conf::Config>;
  using SharedStore = std::shared_ptr<const net::CertificateStore>;

  struct Hooks {
    // Called on ACME threads.
    acme::ChallengeBoard::Publish publish;
    // Runs a call on control; called on any thread.
    std::function<void(std::function<void()>)> post;
    // New handshakes use these from now on.
    std::function<void(SharedStore)> swap;
    // A name on demand has its certificate, or will not get one now.
    std::function<void(const std::string& name, bool is_there)> settle;
  };

  // Throws std::runtime_error and std::system_error when the storage cannot be used.
  CertificateKeeper(const std::string& storage, Hooks hooks);

  // What a configuration begins with; it may still be refused by others. Throws std::runtime_error
  // naming the site and the file when a certificate cannot be had.
  SharedStore prepare(const SharedConfig& config);
  // The prepared configuration is in use: orders may begin.
  void adopt(const SharedConfig& config, SharedStore store);
  // The prepared configuration was refused.
  void keep();
  // Gets together what there is now; what cannot be had stays as it was.
  void refresh(std::string_view reason);
  // The same, and what the internal CA has issued is renewed where it is time.
  void renew_internal();
  void check_files();
  // A client asks for a name that only a stand-in covers.
  void ask(const std::string& name, const IpAddress& client) { on_demand_.ask(name, client); }
  // Ends what is under way without waiting for it.
  void stop();

  acme::Service& authorities() { return service_; }

 private:
  acme::Service::Hooks service_hooks();
  acme::Stapler::Hooks stapler_hooks();
  void post_refresh(const char* reason);
  void decide(const std::string& name, bool allowed);
  void settle_arrived();
  void look_at_expiry();
  CertificateSet collect(const conf::Config& config);

  const Hooks hooks_;
  SharedConfig config_;
  SharedStore store_;
  std::vector<FileStamp> watched_;
  std::map<std::string, std::shared_ptr<const net::CertificateData>> internal_;  // by name
  std::set<std::string> demanded_;  // names on demand that are allowed
  std::set<std::string> awaited_;   // those whose clients wait
  std::atomic<bool> refresh_posted_{false};
  acme::ExpiryWatch expiry_watch_;
  acme::InternalCa ca_;
  acme::EventSender events_;
  acme::Service service_;
  acme::Stapler stapler_;
  acme::OnDemand on_demand_;
};

}  // namespace portero
