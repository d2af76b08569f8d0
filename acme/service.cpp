#include "acme/service.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "acme/schedule.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"

namespace portero::acme {
namespace {

// The clock may be set meanwhile, so nobody sleeps for long.
constexpr std::time_t look_again = 30;
constexpr std::time_t storage_failed_wait = 60;

std::time_t reliable_until(const StoredCertificate& stored) {
  return acme::reliable_until(stored.data->not_before, stored.data->not_after);
}

}  // namespace

Service::Service(const std::string& storage, Hooks hooks)
    : hooks_(std::move(hooks)),
      http_(stop_.flag()),
      storage_(storage),
      board_(hooks_.publish),
      authorities_(storage_, http_, stop_, hooks_.clock),
      orderer_({storage_, http_, board_, authorities_, stop_, hooks_.clock, hooks_.on_event}) {}

void Service::stop() {
  stop_.stop();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  work_.notify_all();
}

Service::~Service() {
  stop();
  for (std::thread& thread : threads_) thread.join();
}

void Service::set_wanted(const std::vector<Wanted>& wanted) {
  std::set<std::string> names;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const Wanted& want : wanted) {
    names.insert(want.name);
    load(entries_[want.name], want);
  }
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    entry.gone = !names.contains(at->first);
    at = entry.gone && !entry.in_progress ? entries_.erase(at) : std::next(at);
  }
  held_ = true;
}

void Service::load(Entry& entry, const Wanted& want) const {
  entry.gone = false;
  entry.wanted = want;
  if (entry.in_progress) return;
  entry.stored = storage_.load_certificate(want.name);
  entry.state = storage_.load_state(want.name);
  entry.due = first_due(entry);
}

Prospect Service::want(const Wanted& wanted) {
  const std::time_t now = hooks_.clock();
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto [at, is_new] = entries_.try_emplace(wanted.name);
  Entry& entry = at->second;
  if (is_new || entry.gone) load(entry, wanted);
  start_threads(entries_.size());
  work_.notify_one();
  if (entry.stored && entry.stored->data->not_after > now) return Prospect::ready;
  return entry.in_progress || entry.due <= now ? Prospect::coming : Prospect::failed;
}

void Service::release() {
  const std::lock_guard<std::mutex> lock(mutex_);
  held_ = false;
  start_threads(entries_.size());
  work_.notify_all();
}

// After a start or a change of the site file the schedule of failures begins anew: somebody may
// have repaired what was wrong. The ledger and the authority's own limit still hold.
std::time_t Service::first_due(const Entry& entry) const {
  const std::time_t now = hooks_.clock();
  if (entry.stored) {
    const std::time_t due = renewal_due(*entry.stored, entry.state);
    if (due > now) return std::min(due, std::max(now, entry.state.ask_window_at));
  }
  return std::max(unblocked_at(entry.wanted, entry.state),
                  order_allowed_at(entry.state.orders, now));
}

void Service::start_threads(std::size_t wanted) {
  while (threads_.size() < std::min(wanted, threads_max)) {
    threads_.emplace_back(&Service::run_thread, this);
  }
}

std::shared_ptr<const net::CertificateData> Service::certificate(const std::string& name) const {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end()) return nullptr;
  const StoredCertificate* const stored = in_use(found->second, hooks_.clock());
  return stored == nullptr ? nullptr : stored->data;
}

// The entry whose certificate would serve this name, too; nullptr when there is none.
const Service::Entry* Service::wildcard_over(const Entry& entry) const {
  const std::string& name = entry.wanted.name;
  const std::size_t dot = name.find('.');
  if (dot == std::string::npos || name.starts_with("*.")) return nullptr;
  const auto found = entries_.find("*" + name.substr(dot));
  if (found == entries_.end() || found->second.gone) return nullptr;
  return found->second.wanted.issuers == entry.wanted.issuers ? &found->second : nullptr;
}

// A name below a wildcard has no order of its own while the wildcard has a certificate that is
// renewed in time, or is about to get its first; where that fails, the name may still be proven in
// another way.
std::time_t Service::due_of(const Entry& entry, std::time_t now) const {
  const Entry* const wildcard = wildcard_over(entry);
  if (wildcard == nullptr || entry.forced) return entry.due;
  const std::time_t covered = wildcard->stored ? reliable_until(*wildcard->stored) : 0;
  if (covered > now) return covered;
  const bool has_failed = wildcard->state.failures > 0 && !wildcard->in_progress;
  return has_failed ? entry.due : std::max(entry.due, now + look_again);
}

// The certificate that serves the entry's name: its own while that is not near its end, else the
// one that lasts longer.
const StoredCertificate* Service::in_use(const Entry& entry, std::time_t now) const {
  const Entry* const wildcard = wildcard_over(entry);
  const StoredCertificate* const own = entry.stored ? &*entry.stored : nullptr;
  if (wildcard == nullptr || !wildcard->stored) return own;
  const StoredCertificate* const shared = &*wildcard->stored;
  if (own == nullptr) return shared;
  const bool is_own = reliable_until(*own) > now || own->data->not_after >= shared->data->not_after;
  return is_own ? own : shared;
}

Standing Service::describe(const Entry& entry) const {
  Standing standing;
  standing.name = entry.wanted.name;
  standing.failures = entry.state.failures;
  standing.last_error = entry.state.last_error;
  standing.in_progress = entry.in_progress;
  const StoredCertificate* const used = in_use(entry, hooks_.clock());
  if (used != nullptr) {
    standing.issuer = used->issuer;
    standing.not_after = used->data->not_after;
  }
  if (used != nullptr && (!entry.stored || used != &*entry.stored)) {
    standing.why = "the certificate of " + wildcard_over(entry)->wanted.name + " serves it";
    return standing;
  }
  if (used != nullptr) {
    standing.challenge = used->challenge;
    standing.why = used->why;
    standing.renew_at = renewal_due(*used, entry.state);
  }
  if (entry.state.failures > 0 || used == nullptr) standing.next_try = entry.due;
  return standing;
}

std::vector<Standing> Service::describe() const {
  std::vector<Standing> all;
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [name, entry] : entries_) {
    if (entry.gone) continue;
    all.push_back(describe(entry));
  }
  return all;
}

bool Service::renew(const std::string& name, Revoke revoke) {
  const std::lock_guard<std::mutex> lock(mutex_);
  const auto found = entries_.find(name);
  if (found == entries_.end() || found->second.gone) return false;
  if (revoke == Revoke::yes && !found->second.stored) return false;
  found->second.forced = true;
  found->second.revoke = revoke == Revoke::yes;
  found->second.due = 0;
  work_.notify_all();
  return true;
}

void Service::change_account_keys() {
  const std::lock_guard<std::mutex> lock(mutex_);
  new_keys_wanted_ = true;
  start_threads(1);
  work_.notify_all();
}

// Orders under way sign with the old keys, and none begins meanwhile.
void Service::change_keys_if_wanted(std::unique_lock<std::mutex>& lock) {
  const bool busy =
      changing_keys_ || std::any_of(entries_.begin(), entries_.end(),
                                    [](const auto& one) { return one.second.in_progress; });
  if (!new_keys_wanted_ || busy) return;
  std::vector<conf::Issuer> issuers;
  for (const auto& [name, entry] : entries_) {
    for (const conf::Issuer& issuer : entry.wanted.issuers) {
      if (std::find(issuers.begin(), issuers.end(), issuer) == issuers.end()) {
        issuers.push_back(issuer);
      }
    }
  }
  changing_keys_ = true;
  lock.unlock();
  try {
    authorities_.change_keys(issuers);
  } catch (const Stopped&) {
  } catch (const std::exception& failed) {  // the storage
    log::error("acme.account_key_kept", log::kv("error", failed.what()));
  }
  lock.lock();
  changing_keys_ = new_keys_wanted_ = false;
  work_.notify_all();
}

// Waits for the entry that is due first; nullptr when the service ends.
Service::Entry* Service::next_due(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (ending_) return nullptr;
    change_keys_if_wanted(lock);
    if (ending_) return nullptr;
    const std::time_t now = hooks_.clock();
    Entry* first = nullptr;
    std::time_t first_at = 0;
    for (auto& [name, entry] : entries_) {
      if (held_ || new_keys_wanted_ || entry.in_progress || entry.gone) continue;
      const std::time_t due = due_of(entry, now);
      if (first == nullptr || due < first_at) first = &entry, first_at = due;
    }
    if (first != nullptr && first_at <= now) return first;
    const std::time_t wait = first == nullptr ? look_again : std::min(first_at - now, look_again);
    work_.wait_for(lock, std::chrono::seconds(wait));
  }
}

void Service::run_thread() {
  std::unique_lock<std::mutex> lock(mutex_);
  while (Entry* const entry = next_due(lock)) {
    const std::string name = entry->wanted.name;
    Attempt work{entry->wanted, entry->stored, entry->state, entry->forced, entry->revoke, 0};
    entry->in_progress = true;
    entry->forced = entry->revoke = false;
    lock.unlock();
    try {
      orderer_.run(work);
    } catch (const Stopped&) {
      return;
    } catch (const std::exception& failed) {  // the storage: everything else is an AcmeFailure
      log::error("acme.failed", log::kv("name", name), log::kv("error", failed.what()));
      work.state.last_error = failed.what();
      work.due = hooks_.clock() + storage_failed_wait;
    }
    lock.lock();
    Entry& done = entries_.at(name);  // stays while it is in progress
    const bool is_new = work.stored && (!done.stored || work.stored->data != done.stored->data);
    done.in_progress = false;
    done.stored = std::move(work.stored);
    done.state = std::move(work.state);
    done.due = done.forced ? 0 : work.due;
    // The site file changed under way: judge by what it says now.
    if (!(done.wanted == work.wanted) && !is_new) done.due = first_due(done);
    if (done.gone) entries_.erase(name);
    // Who waited for a wildcard may have to go alone.
    if (new_keys_wanted_ || name.starts_with("*.")) work_.notify_all();
    if (!is_new) continue;
    lock.unlock();
    hooks_.changed();
    lock.lock();
  }
}

}  // namespace portero::acme
