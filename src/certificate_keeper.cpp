#include "certificate_keeper.hpp"

#include <ctime>

#include "base/log.hpp"

namespace portero {
namespace {

std::time_t now() { return std::time(nullptr); }

}  // namespace

CertificateKeeper::CertificateKeeper(const std::string& storage, Hooks hooks)
    : hooks_(std::move(hooks)),
      ca_(acme::InternalCa::open(storage, now())),
      service_(storage, service_hooks()),
      stapler_(storage, stapler_hooks()),
      on_demand_(
          [this](const std::string& name, bool allowed) {
            hooks_.post([this, name, allowed] { decide(name, allowed); });
          },
          &now) {}

acme::Service::Hooks CertificateKeeper::service_hooks() {
  return {hooks_.publish, [this] { post_refresh("issued"); }, &now,
          [this](const acme::Event& event) {
            events_.post(event);
            if (event.kind != "certificate_failed") return;
            hooks_.post([this, name = event.name] {
              if (awaited_.erase(name) > 0) hooks_.settle(name, false);
            });
          }};
}

// Called on the stapler's thread.
acme::Stapler::Hooks CertificateKeeper::stapler_hooks() {
  return {[this] { post_refresh("OCSP"); },
          [this](const net::CertificateData& certificate, const std::string& why) {
            for (const std::string& name : certificate.names) {
              const bool is_ours = service_.certificate(name).get() == &certificate;
              events_.post({"certificate_revoked", name, certificate.issuer,
                            is_ours ? "revoked (" + why + "); a new one is ordered"
                                    : "revoked (" + why + "); get a new one from its authority",
                            certificate.not_after, 0});
              if (is_ours) service_.renew(name);
            }
          },
          &now};
}

// Many changes at once make one swap.
void CertificateKeeper::post_refresh(const char* reason) {
  if (refresh_posted_.exchange(true)) return;
  hooks_.post([this, reason] {
    refresh_posted_ = false;
    refresh(reason);
  });
}

CertificateKeeper::SharedStore CertificateKeeper::prepare(const SharedConfig& config) {
  // What is on disk serves at once.
  service_.set_wanted(wanted_certificates(*config, demanded_));
  const CertificateSet set = collect(*config);
  for (const std::string& warning : set.warnings) {
    log::warn("tls.certificate_warning", log::kv("text", warning));
  }
  return set.store;
}

CertificateSet CertificateKeeper::collect(const conf::Config& config) {
  const CertificateSources sources{ca_, service_, stapler_, demanded_, internal_};
  CertificateSet set = collect_certificates(config, sources, now());
  std::vector<acme::Stapler::SharedCertificate> all;
  for (const net::CertificateStore::Identity& identity : set.store->identities()) {
    all.push_back(identity.certificate);
  }
  if (stapler_.set_certificates(all)) set = collect_certificates(config, sources, now());
  watched_ = set.files;
  return set;
}

void CertificateKeeper::adopt(const SharedConfig& config, SharedStore store) {
  config_ = config;
  store_ = std::move(store);
  events_.set_hooks(config->acme.events);
  on_demand_.set_rules(config->acme.on_demand);
  look_at_expiry();
  service_.release();
}

void CertificateKeeper::keep() {
  if (config_ == nullptr) return;
  service_.set_wanted(wanted_certificates(*config_, demanded_));
  service_.release();
}

void CertificateKeeper::refresh(std::string_view reason) {
  if (config_ == nullptr) return;
  try {
    const CertificateSet fresh = collect(*config_);
    store_ = fresh.store;
    hooks_.swap(store_);
    log::info("tls.certificates_swapped", log::kv("reason", reason));
    settle_arrived();
    look_at_expiry();
  } catch (const std::runtime_error& failed) {
    log::error("tls.certificates_kept", log::kv("reason", reason), log::kv("error", failed.what()));
  }
}

void CertificateKeeper::renew_internal() {
  internal_.clear();
  ca_.remove_old_leaves(now());
  refresh("renewal");
}

void CertificateKeeper::check_files() {
  bool changed = false;
  for (FileStamp& stamp : watched_) {
    FileStamp found = FileStamp::of(stamp.path);
    if (found == stamp) continue;
    changed = true;
    stamp = std::move(found);  // a file that stays bad is reported once
  }
  if (changed) refresh("file changed");
}

void CertificateKeeper::stop() {
  service_.stop();
  stapler_.stop();
  on_demand_.stop();
}

// Whether a name on demand may have a certificate; when it may, it is wanted from now on.
void CertificateKeeper::decide(const std::string& name, bool allowed) {
  const std::optional<acme::Wanted> wanted =
      allowed && config_ ? wanted_on_demand(*config_, name) : std::nullopt;
  if (!wanted ||
      (demanded_.size() >= acme::OnDemand::remembered_max && !demanded_.contains(name))) {
    hooks_.settle(name, false);
    return;
  }
  demanded_.insert(name);
  switch (service_.want(*wanted)) {
    case acme::Prospect::ready:
      awaited_.insert(name);
      refresh("on demand");
      break;
    case acme::Prospect::coming: awaited_.insert(name); break;
    case acme::Prospect::failed: hooks_.settle(name, false); break;
  }
}

void CertificateKeeper::settle_arrived() {
  std::erase_if(awaited_, [this](const std::string& name) {
    const std::shared_ptr<const net::CertificateData> certificate = service_.certificate(name);
    if (certificate == nullptr || certificate->not_after <= now()) return false;
    hooks_.settle(name, true);
    return true;
  });
}

// Also of certificates that the user has to renew, and of those that fail to renew by themselves.
void CertificateKeeper::look_at_expiry() {
  std::vector<acme::WatchedCertificate> all;
  for (const net::CertificateStore::Identity& identity : store_->identities()) {
    const net::CertificateData& data = *identity.certificate;
    for (const std::string& name : data.names) {
      all.push_back({name, data.issuer, data.not_before, data.not_after});
    }
  }
  for (const acme::Event& event : expiry_watch_.look(all, config_->acme.events.days_left, now())) {
    log::warn("tls.certificate_expires", log::kv("name", event.name),
              log::kv("not_after", event.not_after), log::kv("text", event.text));
    events_.post(event);
  }
}

}  // namespace portero
