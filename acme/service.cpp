#include "acme/service.hpp"

#include <algorithm>
#include <set>
#include <system_error>

#include <fmt/format.h>

#include "acme/json_members.hpp"
#include "acme/schedule.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"

namespace portero::acme {
namespace {

constexpr std::time_t hour = 3600;
// The clock may be set meanwhile, so nobody sleeps for long.
constexpr std::time_t look_again = 30;
constexpr std::time_t window_check_period = 6 * hour;
constexpr std::time_t window_check_longest = 24 * hour;
constexpr std::time_t window_check_shortest = 60;
constexpr std::time_t locked_elsewhere_wait = 5;
constexpr std::time_t storage_failed_wait = 60;

std::time_t renewal_due(const StoredCertificate& stored, const NameState& state) {
  const net::CertificateData& data = *stored.data;
  const std::time_t by_age = renewal_time(data.not_before, data.not_after, 0);
  // The authority's wish comes first, unless nearly nothing would be left of the certificate's
  // life.
  const std::time_t latest = data.not_after - (data.not_after - data.not_before) / 20;
  return state.renew_at != 0 ? std::min(state.renew_at, latest) : by_age;
}

}  // namespace

Service::Service(const std::string& storage, Hooks hooks)
    : hooks_(std::move(hooks)), http_(stop_.flag()), storage_(storage), board_(hooks_.publish) {}

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
    Entry& entry = entries_[want.name];
    entry.gone = false;
    entry.wanted = want;
    if (entry.in_progress) continue;
    entry.stored = storage_.load_certificate(want.name);
    entry.state = storage_.load_state(want.name);
    entry.due = first_due(entry);
  }
  for (auto at = entries_.begin(); at != entries_.end();) {
    Entry& entry = at->second;
    entry.gone = !names.contains(at->first);
    at = entry.gone && !entry.in_progress ? entries_.erase(at) : std::next(at);
  }
  held_ = true;
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
  return std::max(entry.state.blocked_until, order_allowed_at(entry.state.orders, now));
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

// A name below a wildcard has no order of its own while the wildcard has a certificate or is about
// to get its first; where that fails, the name may still be proven in another way.
std::time_t Service::due_of(const Entry& entry, std::time_t now) const {
  const Entry* const wildcard = wildcard_over(entry);
  if (wildcard == nullptr || entry.forced) return entry.due;
  if (wildcard->stored && wildcard->stored->data->not_after > now) {
    return wildcard->stored->data->not_after;
  }
  const bool has_failed = wildcard->state.failures > 0 && !wildcard->in_progress;
  return has_failed ? entry.due : std::max(entry.due, now + look_again);
}

// The certificate that serves the entry's name: its own while that is good.
const StoredCertificate* Service::in_use(const Entry& entry, std::time_t now) const {
  const StoredCertificate* const own = entry.stored ? &*entry.stored : nullptr;
  if (own != nullptr && own->data->not_after > now) return own;
  const Entry* const wildcard = wildcard_over(entry);
  const bool covers = wildcard != nullptr && wildcard->stored &&
                      (own == nullptr || wildcard->stored->data->not_after > now);
  return covers ? &*wildcard->stored : own;
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

// Waits for the entry that is due first; nullptr when the service ends.
Service::Entry* Service::next_due(std::unique_lock<std::mutex>& lock) {
  for (;;) {
    if (ending_) return nullptr;
    const std::time_t now = hooks_.clock();
    Entry* first = nullptr;
    std::time_t first_at = 0;
    for (auto& [name, entry] : entries_) {
      if (held_ || entry.in_progress || entry.gone) continue;
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
      attempt(work);
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
    if (name.starts_with("*.")) work_.notify_all();  // who waited for it may have to go alone
    if (!is_new) continue;
    lock.unlock();
    hooks_.changed();
    lock.lock();
  }
}

void Service::attempt(Attempt& work) {
  const std::string& name = work.wanted.name;
  const Fd lock = storage_.lock(name);
  if (!lock.is_open()) {  // another process, perhaps on another host, orders for it
    work.due = hooks_.clock() + locked_elsewhere_wait;
    return;
  }
  if (adopt_from_storage(work)) return;
  if (!work.forced && work.stored && ask_for_window(work)) return;
  if (work.revoke) revoke_stored(work);
  order_from_all(work);
}

// A failure is told and does not keep the new certificate from being ordered.
void Service::revoke_stored(Attempt& work) {
  constexpr int key_compromise = 1;
  const std::string& name = work.wanted.name;
  try {
    for (const conf::Issuer& issuer : work.wanted.issuers) {
      if (issuer.directory != work.stored->directory) continue;
      AcmeClient& client = client_of(issuer, issuer.directory);
      const Account account = account_of(client, issuer, work.wanted);
      client.revoke(account, *work.stored->data, key_compromise);
      log::info("acme.revoked", log::kv("name", name), log::kv("issuer", issuer.name));
      return;
    }
    throw AcmeFailure("none of the name's issuers has issued the certificate");
  } catch (const AcmeFailure& failed) {
    log::error("acme.revoke_failed", log::kv("name", name), log::kv("error", failed.what()));
  }
}

// Whoever held the lock before may have done the work.
bool Service::adopt_from_storage(Attempt& work) {
  std::optional<StoredCertificate> stored = storage_.load_certificate(work.wanted.name);
  if (!stored) return false;
  const bool is_newer = !work.stored || stored->data->not_after > work.stored->data->not_after;
  if (!is_newer) return false;
  work.stored = std::move(stored);
  work.state = storage_.load_state(work.wanted.name);
  work.due = renewal_due(*work.stored, work.state);
  return work.due > hooks_.clock();
}

// Renewal information: true when it is not time to renew yet. Source: RFC 9773.
bool Service::ask_for_window(Attempt& work) {
  const std::time_t now = hooks_.clock();
  if (work.state.ask_window_at <= now) {
    work.state.ask_window_at = now + window_check_period;
    const auto issuer = std::find_if(
        work.wanted.issuers.begin(), work.wanted.issuers.end(),
        [&work](const conf::Issuer& one) { return one.directory == work.stored->directory; });
    try {
      std::optional<RenewalWindow> window;
      if (issuer != work.wanted.issuers.end()) {
        window =
            client_of(*issuer, issuer->directory).renewal_window(renewal_id(*work.stored->data));
      }
      if (window) {
        const std::time_t chosen = work.state.renew_at;
        if (chosen < window->start || chosen > window->end) {
          work.state.renew_at = moment_in_window(window->start, window->end, spread());
        }
        work.state.ask_window_at =
            now + std::clamp<std::time_t>(window->ask_again.count() != 0 ? window->ask_again.count()
                                                                         : window_check_period,
                                          window_check_shortest, window_check_longest);
      } else {
        work.state.renew_at = 0;
        work.state.ask_window_at = now + window_check_longest;
      }
    } catch (const AcmeFailure& failed) {
      log::warn("acme.renewal_info_failed", log::kv("name", work.wanted.name),
                log::kv("error", failed.what()));
    }
    storage_.save_state(work.wanted.name, work.state);
  }
  const std::time_t due = renewal_due(*work.stored, work.state);
  if (due <= now) return false;
  work.due = std::min(due, work.state.ask_window_at);
  return true;
}

// The attempt is written down before anybody is asked: a crash counts as a failure.
void Service::order_from_all(Attempt& work) {
  const std::string& name = work.wanted.name;
  NameState& state = work.state;
  const std::time_t now = hooks_.clock();
  forget_old_orders(state.orders, now);
  const std::time_t allowed =
      std::max(order_allowed_at(state.orders, now), work.forced ? 0 : state.blocked_until);
  if (allowed > now) {
    if (state.last_error.empty()) {
      state.last_error =
          "this name has been ordered too often lately; it waits, or the authority's "
          "weekly limit would be reached";
    }
    log::warn("acme.order_postponed", log::kv("name", name), log::kv("why", state.last_error));
    work.due = allowed;
    return;
  }
  const bool rehearse = state.failures > 0 && !work.forced;
  ++state.failures;
  state.next_try = now + retry_wait(state.failures, spread()).count();
  state.orders.push_back(now);
  storage_.save_state(name, state);
  std::string errors;
  std::chrono::seconds wait{};
  for (const conf::Issuer& issuer : work.wanted.issuers) {
    try {
      if (rehearse && !issuer.staging.empty()) order_from(work, issuer, issuer.staging, true);
      order_from(work, issuer, issuer.directory, false);
      return;
    } catch (const AcmeFailure& failed) {
      log::warn("acme.order_failed", log::kv("name", name), log::kv("issuer", issuer.name),
                log::kv("type", failed.type), log::kv("error", failed.what()));
      errors += fmt::format("{}{}: {}", errors.empty() ? "" : "; ", issuer.name, failed.what());
      wait = std::max(wait, failed.retry_after);
      if (failed.type == "accountDoesNotExist") storage_.drop_account(issuer.directory);
    }
  }
  state.last_error = errors;
  if (wait.count() > 0) state.blocked_until = hooks_.clock() + wait.count();
  state.next_try = std::max(state.next_try, state.blocked_until);
  storage_.save_state(name, state);
  work.due = state.next_try;
}

// Orders from one authority and stores what it issues; a rehearsal on a staging directory only
// shows whether the authority would succeed.
void Service::order_from(Attempt& work, const conf::Issuer& issuer, const std::string& directory,
                         bool rehearsal) {
  const std::string& name = work.wanted.name;
  AcmeClient& client = client_of(issuer, directory);
  const Account account = account_of(client, issuer, work.wanted);
  OrderPlan plan;
  plan.name = name;
  plan.challenges = work.wanted.challenges;
  plan.profile = issuer.profile;
  plan.preferred_chain = issuer.preferred_chain;
  plan.keep = !rehearsal;
  if (work.stored && work.stored->directory == directory) {
    plan.replaces = renewal_id(*work.stored->data);
  }
  const DnsClient dns_client(work.wanted.resolvers);
  std::optional<DnsTools> dns;
  if (work.wanted.dns) dns.emplace(DnsTools{dns_client, provider_of(*work.wanted.dns)});
  const OrderTools tools{client, account, board_, storage_, stop_, dns ? &*dns : nullptr};
  Issued issued;
  try {
    issued = run_order(tools, plan);
  } catch (const AcmeFailure& failed) {
    if (failed.type != "alreadyReplaced" || plan.replaces.empty()) throw;
    plan.replaces.clear();
    issued = run_order(tools, plan);
  }
  if (rehearsal) return;
  Explained<std::shared_ptr<const net::CertificateData>> data =
      net::parse_certificate(issued.chain_pem, issued.key_pem);
  if (!data) throw AcmeFailure("the authority's certificate cannot be used: " + data.error());
  StoredCertificate stored{*data,          issuer.name, directory, issued.challenge,
                           hooks_.clock(), issued.why};
  storage_.save_certificate(name, stored, issued.chain_pem, issued.key_pem);
  NameState& state = work.state;
  state = NameState{0, 0, 0, "", std::move(state.orders), 0, 0};
  storage_.save_state(name, state);
  storage_.drop_order(name);
  const std::time_t now = hooks_.clock();
  work.due = std::min(renewal_due(stored, state), now + window_check_shortest);
  if (renewal_due(stored, state) <= now || (*data)->not_before > now + hour) {
    // Ordering again would give the same; and again.
    log::error("acme.clock_is_wrong", log::kv("name", name),
               log::kv("text",
                       "by this machine's clock the new certificate is too old or not valid "
                       "yet; set the clock"));
    work.due = now + window_check_period;
  }
  log::info("acme.obtained", log::kv("name", name), log::kv("issuer", issuer.name),
            log::kv("challenge", issued.challenge), log::kv("not_after", (*data)->not_after));
  work.stored = std::move(stored);
}

AcmeClient& Service::client_of(const conf::Issuer& issuer, const std::string& directory) {
  const std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<AcmeClient>& client = clients_[directory + "\n" + issuer.roots];
  if (client == nullptr) {
    client = std::make_unique<AcmeClient>(directory, issuer.roots, http_, stop_, hooks_.clock);
  }
  return *client;
}

// One account per authority. Its key is on disk before the authority hears of it, so a crash leaves
// no account that nobody can use.
Account Service::account_of(AcmeClient& client, const conf::Issuer& issuer, const Wanted& wanted) {
  const std::string& directory = client.directory_url();
  const Fd lock = storage_.lock_accounts();
  std::optional<StoredAccount> stored = storage_.load_account(directory);
  if (!stored) {
    stored = StoredAccount{directory, AccountKey::generate().pem(), "", ""};
    storage_.save_account(*stored);
  }
  AccountKey key = AccountKey::from_pem(stored->key_pem);
  if (stored->url.empty()) {
    stored->url = client.open_account(key, wanted.email, external_account(issuer, wanted.email));
    stored->email = wanted.email;
    storage_.save_account(*stored);
    log::info("acme.account_opened", log::kv("issuer", issuer.name), log::kv("url", stored->url));
  }
  Account account{std::move(key), stored->url};
  if (stored->email != wanted.email) {
    client.change_contact(account, wanted.email);
    stored->email = wanted.email;
    storage_.save_account(*stored);
  }
  return account;
}

std::optional<ExternalAccount> Service::external_account(const conf::Issuer& issuer,
                                                         const std::string& email) {
  if (!issuer.eab_kid.empty()) return ExternalAccount{issuer.eab_kid, issuer.eab_hmac};
  if (issuer.eab_url.empty() || email.empty()) return std::nullopt;
  HttpRequest request;
  request.method = "POST";
  request.url = issuer.eab_url;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  for (const char c : email) request.body += fmt::format("%{:02x}", static_cast<unsigned char>(c));
  request.body.insert(0, "email=");
  const Explained<HttpResponse> response = http_.send(request);
  if (!response) throw AcmeFailure("cannot reach the authority: " + response.error());
  const boost::json::object object = parse_object(response->body);
  ExternalAccount account{text_member(object, "eab_kid"), text_member(object, "eab_hmac_key")};
  if (account.key_id.empty() || account.hmac_key.empty()) {
    throw AcmeFailure(
        fmt::format("{} gives no external account for this address of mail; make one on its site "
                    "and give `eab: {{kid, hmac}}`",
                    issuer.name));
  }
  return account;
}

DnsProvider& Service::provider_of(const conf::Dns& settings) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [known, provider] : providers_) {
    if (known == settings) return *provider;
  }
  providers_.emplace_back(settings, make_dns_provider(settings, {http_, stop_}));
  return *providers_.back().second;
}

double Service::spread() {
  return static_cast<double>(net::random_u64() >> 11) / static_cast<double>(1ULL << 53);
}

}  // namespace portero::acme
