#include "acme/stapler.hpp"

#include <unistd.h>

#include <algorithm>

#include <fmt/format.h>

#include "acme/certificate.hpp"
#include "base/atomic_file.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"

namespace portero::acme {
namespace {

constexpr std::time_t minute = 60;
constexpr std::time_t hour = 60 * minute;
constexpr std::time_t first_retry = 5 * minute;
constexpr std::time_t look_again = 30;  // as the clock may be set

std::string fingerprint_of(const net::CertificateData& certificate) {
  return net::sha256_hex(certificate_pem(certificate));
}

}  // namespace

Stapler::Stapler(const std::string& storage, Hooks hooks)
    : folder_(storage + "/ocsp"), hooks_(std::move(hooks)), http_(stop_.flag()) {}

Stapler::~Stapler() {
  stop();
  if (thread_.joinable()) thread_.join();
}

void Stapler::stop() {
  stop_.stop();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  work_.notify_all();
}

std::string Stapler::path_of(const std::string& id) const { return folder_ + "/" + id + ".der"; }

bool Stapler::set_certificates(const std::vector<SharedCertificate>& certificates) {
  std::map<std::string, Entry> wanted;
  bool any_loaded = false;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const SharedCertificate& certificate : certificates) {
    std::string url = ocsp_url(*certificate);
    if (url.empty()) continue;
    const std::string id = fingerprint_of(*certificate);
    if (wanted.contains(id)) continue;
    const auto known = entries_.find(id);
    Entry& entry = wanted[id];
    if (known != entries_.end()) {
      entry = std::move(known->second);
      entries_.erase(known);
      continue;
    }
    entry.certificate = certificate;
    entry.url = std::move(url);
    any_loaded = load(id, entry) || any_loaded;
  }
  for (const auto& [id, gone] : entries_) ::unlink(path_of(id).c_str());
  entries_ = std::move(wanted);
  if (!entries_.empty() && !thread_.joinable()) thread_ = std::thread(&Stapler::run, this);
  work_.notify_all();
  return any_loaded;
}

std::shared_ptr<const std::string> Stapler::staple(const net::CertificateData& certificate) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (entries_.empty()) return nullptr;
  const auto found = entries_.find(fingerprint_of(certificate));
  if (found == entries_.end() || found->second.good_until <= hooks_.clock()) return nullptr;
  return found->second.staple;
}

bool Stapler::load(const std::string& id, Entry& entry) const {
  try {
    std::optional<std::string> der = read_file(path_of(id));
    if (!der) return false;
    const std::time_t now = hooks_.clock();
    const Explained<OcspAnswer> answer = read_ocsp_answer(*der, *entry.certificate, now);
    if (!answer || answer->status != OcspStatus::good) return false;
    take(entry, std::move(*der), *answer);
    return true;
  } catch (const std::system_error& failed) {
    log::warn("acme.ocsp_failed", log::kv("error", failed.what()));
    return false;
  }
}

void Stapler::take(Entry& entry, std::string der, const OcspAnswer& answer) const {
  entry.failures = 0;
  entry.staple = std::make_shared<const std::string>(std::move(der));
  entry.good_until = answer.next_update;
  entry.due = answer.this_update + (answer.next_update - answer.this_update) / 2;
}

void Stapler::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (!ending_) {
    const auto first =
        std::min_element(entries_.begin(), entries_.end(),
                         [](const auto& a, const auto& b) { return a.second.due < b.second.due; });
    const std::time_t now = hooks_.clock();
    if (first == entries_.end() || first->second.due > now) {
      work_.wait_for(lock, std::chrono::seconds(look_again));
      continue;
    }
    refresh(std::string(first->first), lock);
  }
}

void Stapler::refresh(const std::string& id, std::unique_lock<std::mutex>& lock) {
  const SharedCertificate certificate = entries_.at(id).certificate;
  HttpRequest request;
  request.method = "POST";
  request.url = entries_.at(id).url;
  request.headers = {{"Content-Type", "application/ocsp-request"}};
  lock.unlock();
  Explained<OcspAnswer> answer = std::string();
  std::string der;
  try {
    request.body = make_ocsp_request(*certificate);
    const Explained<HttpResponse> response = http_.send(request);
    const std::time_t now = hooks_.clock();
    if (!response) {
      answer = response.error();
    } else if (response->status != 200) {
      answer = fmt::format("{} answers {}", request.url, response->status);
    } else {
      answer = read_ocsp_answer(response->body, *certificate, now);
      der = response->body;
    }
    if (answer && answer->status == OcspStatus::unknown) {
      answer = std::string("the responder does not know the certificate (yet)");
    }
    if (answer && answer->status == OcspStatus::good) {
      make_directories(folder_);
      write_file_atomically(path_of(id), der, 0600);
    }
  } catch (const std::exception& failed) {
    answer = std::string(failed.what());
  }
  lock.lock();
  const auto found = entries_.find(id);
  if (ending_ || found == entries_.end()) return;
  Entry& entry = found->second;
  const std::time_t now = hooks_.clock();
  const std::string names = fmt::format("{}", fmt::join(certificate->names, ", "));
  if (!answer) {
    log::warn("acme.ocsp_failed", log::kv("name", names), log::kv("error", answer.error()));
    const bool was_there = entry.staple != nullptr;
    if (entry.good_until <= now) entry.staple = nullptr;
    entry.due = now + std::min(first_retry << std::min(entry.failures++, 8U), hour);
    if (!was_there || entry.staple != nullptr) return;
  } else if (answer->status == OcspStatus::revoked) {
    entry.due = answer->next_update;
    entry.staple = nullptr;
    if (std::exchange(entry.is_revoked, true)) return;
    const std::string why = answer->reason.empty() ? "without a reason" : answer->reason;
    lock.unlock();
    log::error("tls.certificate_revoked", log::kv("name", names), log::kv("reason", why));
    hooks_.revoked(*certificate, why);
    hooks_.changed();
    lock.lock();
    return;
  } else {
    take(entry, std::move(der), *answer);
    entry.due = std::max(entry.due, now + minute);
    log::info("acme.ocsp_stapled", log::kv("name", names), log::kv("until", entry.good_until));
  }
  lock.unlock();
  hooks_.changed();
  lock.lock();
}

}  // namespace portero::acme
