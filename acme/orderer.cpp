#include "acme/orderer.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "acme/on_demand.hpp"
#include "acme/schedule.hpp"
#include "base/log.hpp"
#include "net/crypto.hpp"

namespace portero::acme {
namespace {

constexpr std::time_t hour = 3600;
constexpr std::time_t window_check_period = 6 * hour;
constexpr std::time_t window_check_longest = 24 * hour;
constexpr std::time_t window_check_shortest = 60;
constexpr std::time_t locked_elsewhere_wait = 5;

constexpr const char* too_often =
    "this name has been ordered too often lately; it waits, or the authority's weekly limit would "
    "be "
    "reached";

// In [0, 1).
double random_share() {
  return static_cast<double>(net::random_u64() >> 11) / static_cast<double>(1ULL << 53);
}

// 0 = not at all.
std::time_t blocked_until(const conf::Issuer& issuer, const NameState& state) {
  const auto found = state.blocked_until.find(issuer.directory);
  return found == state.blocked_until.end() ? 0 : found->second;
}

}  // namespace

std::time_t renewal_due(const StoredCertificate& stored, const NameState& state) {
  const net::CertificateData& data = *stored.data;
  const std::time_t by_age = renewal_time(data.not_before, data.not_after, 0);
  // The authority's wish comes first, unless nearly nothing would be left of the certificate's
  // life.
  const std::time_t latest = data.not_after - (data.not_after - data.not_before) / 20;
  return state.renew_at != 0 ? std::min(state.renew_at, latest) : by_age;
}

std::time_t unblocked_at(const Wanted& wanted, const NameState& state) {
  std::optional<std::time_t> first;
  for (const conf::Issuer& issuer : wanted.issuers) {
    const std::time_t until = blocked_until(issuer, state);
    first = std::min(first.value_or(until), until);
  }
  return first.value_or(0);
}

void Orderer::run(Attempt& work) {
  const std::string& name = work.wanted.name;
  const Fd lock = tools_.storage.lock(name);
  if (!lock.is_open()) {  // another process, perhaps on another host, orders for it
    work.due = tools_.clock() + locked_elsewhere_wait;
    return;
  }
  if (adopt_from_storage(work)) return;
  if (!work.forced && work.stored && ask_for_window(work)) return;
  if (work.revoke) revoke_stored(work);
  if (is_held_back(work) || !is_still_allowed(work)) return;
  order_from_all(work);
}

// A failure is told and does not keep the new certificate from being ordered.
void Orderer::revoke_stored(Attempt& work) {
  constexpr int key_compromise = 1;
  const std::string& name = work.wanted.name;
  try {
    for (const conf::Issuer& issuer : work.wanted.issuers) {
      if (issuer.directory != work.stored->directory) continue;
      AcmeClient& client = tools_.authorities.client_of(issuer, issuer.directory);
      const Account account = tools_.authorities.account_of(client, issuer, work.wanted.email);
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
bool Orderer::adopt_from_storage(Attempt& work) {
  std::optional<StoredCertificate> stored = tools_.storage.load_certificate(work.wanted.name);
  if (!stored) return false;
  const bool is_newer = !work.stored || stored->data->not_after > work.stored->data->not_after;
  if (!is_newer) return false;
  work.stored = std::move(stored);
  work.state = tools_.storage.load_state(work.wanted.name);
  work.due = renewal_due(*work.stored, work.state);
  return work.due > tools_.clock();
}

// Renewal information: true when it is not time to renew yet. Source: RFC 9773.
bool Orderer::ask_for_window(Attempt& work) {
  const std::time_t now = tools_.clock();
  if (work.state.ask_window_at <= now) {
    work.state.ask_window_at = now + window_check_period;
    const auto issuer = std::find_if(
        work.wanted.issuers.begin(), work.wanted.issuers.end(),
        [&work](const conf::Issuer& one) { return one.directory == work.stored->directory; });
    try {
      std::optional<RenewalWindow> window;
      if (issuer != work.wanted.issuers.end()) {
        window = tools_.authorities.client_of(*issuer, issuer->directory)
                     .renewal_window(renewal_id(*work.stored->data));
      }
      if (window) {
        const std::time_t chosen = work.state.renew_at;
        if (chosen < window->start || chosen > window->end) {
          work.state.renew_at = moment_in_window(window->start, window->end, random_share());
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
    tools_.storage.save_state(work.wanted.name, work.state);
  }
  const std::time_t due = renewal_due(*work.stored, work.state);
  if (due <= now) return false;
  work.due = std::min(due, work.state.ask_window_at);
  return true;
}

// By the ledger of the name, unless an order that was left can go on, or by the limits that all its
// authorities have named.
bool Orderer::is_held_back(Attempt& work) {
  NameState& state = work.state;
  const std::time_t now = tools_.clock();
  forget_old_orders(state.orders, now);
  const bool goes_on = tools_.storage.load_order(work.wanted.name).has_value();
  work.due = std::max(goes_on ? 0 : order_allowed_at(state.orders, now),
                      work.forced ? 0 : unblocked_at(work.wanted, state));
  if (work.due <= now) return false;
  if (state.last_error.empty()) state.last_error = too_often;
  log::warn("acme.order_postponed", log::kv("name", work.wanted.name),
            log::kv("why", state.last_error));
  tell_failure(work);
  return true;
}

// Whoever allowed a name on demand may have changed his mind since.
bool Orderer::is_still_allowed(Attempt& work) {
  if (work.wanted.ask.empty() || !work.stored) return true;
  const std::string problem = ask_permission(tools_.http, work.wanted.ask, work.wanted.name, "");
  if (problem.empty()) return true;
  ++work.state.failures;
  work.state.next_try = tools_.clock() + retry_wait(work.state.failures, random_share()).count();
  fail(work, "not renewed: " + problem);
  return false;
}

void Orderer::tell_failure(const Attempt& work) const {
  tools_.on_event({"certificate_failed", work.wanted.name, "", work.state.last_error,
                   work.stored ? work.stored->data->not_after : 0, work.due});
}

// In the ledger, once for each attempt, before the authority hears of the order.
void Orderer::count_order(Attempt& work) {
  if (std::exchange(work.is_counted, true)) return;
  const std::time_t now = tools_.clock();
  if (order_allowed_at(work.state.orders, now) > now) throw AcmeFailure(too_often);
  work.state.orders.push_back(now);
  tools_.storage.save_state(work.wanted.name, work.state);
}

// The attempt is written down before an authority is asked: a crash counts as a failure.
void Orderer::order_from_all(Attempt& work) {
  const std::string& name = work.wanted.name;
  NameState& state = work.state;
  const std::time_t now = tools_.clock();
  const DnsClient dns(work.wanted.resolvers);
  const Outlook outlook = look_ahead_of(work, dns);
  const bool rehearse = state.failures > 0 && !work.forced;
  ++state.failures;
  state.next_try = now + retry_wait(state.failures, random_share()).count();
  if (outlook.challenges.empty()) {
    fail(work, "preflight, nobody was asked: " + outlook.obstacles);
    return;
  }
  tools_.storage.save_state(name, state);
  std::string errors;
  for (const conf::Issuer& issuer : work.wanted.issuers) {
    if (!work.forced && blocked_until(issuer, state) > now) continue;
    try {
      if (work.wanted.preflight) {
        check_caa(dns, name,
                  tools_.authorities.client_of(issuer, issuer.directory).caa_identities());
      }
      if (rehearse && !issuer.staging.empty()) {
        order_from(work, issuer, issuer.staging, outlook.challenges);
      }
      order_from(work, issuer, issuer.directory, outlook.challenges);
      return;
    } catch (const AcmeFailure& failed) {
      log::warn("acme.order_failed", log::kv("name", name), log::kv("issuer", issuer.name),
                log::kv("type", failed.type), log::kv("error", failed.what()));
      errors += fmt::format("{}{}: {}", errors.empty() ? "" : "; ", issuer.name, failed.what());
      if (failed.retry_after.count() > 0) {
        state.blocked_until[issuer.directory] = tools_.clock() + failed.retry_after.count();
      }
      if (failed.type == "accountDoesNotExist") tools_.storage.drop_account(issuer.directory);
    }
  }
  for (const std::string& finding : {outlook.obstacles, outlook.doubts}) {
    if (!finding.empty()) errors += fmt::format(" (preflight: {})", finding);
  }
  fail(work, errors);
}

void Orderer::fail(Attempt& work, const std::string& errors) {
  NameState& state = work.state;
  state.last_error = errors;
  state.next_try = std::max(state.next_try, unblocked_at(work.wanted, state));
  tools_.storage.save_state(work.wanted.name, state);
  work.due = state.next_try;
  tell_failure(work);
}

// What this machine can see of the name's chances. After two failures the authority's word counts
// more than what answers here.
Outlook Orderer::look_ahead_of(const Attempt& work, const DnsClient& dns) {
  const Wanted& wanted = work.wanted;
  if (!wanted.preflight) return {wanted.challenges, "", ""};
  PreflightPlan plan;
  plan.name = wanted.name;
  plan.challenges = wanted.challenges;
  plan.only_public = std::all_of(wanted.issuers.begin(), wanted.issuers.end(),
                                 [](const conf::Issuer& one) { return one.is_public; });
  plan.trust_others = work.state.failures >= 2;
  Outlook outlook = look_ahead({dns, tools_.http, tools_.board}, plan);
  if (tools_.stop.flag()) throw Stopped{};
  if (!outlook.obstacles.empty()) {
    log::warn("acme.preflight", log::kv("name", wanted.name), log::kv("error", outlook.obstacles));
  }
  return outlook;
}

// Orders from one authority and stores what it issues; a rehearsal on a staging directory only
// shows whether the authority would succeed.
void Orderer::order_from(Attempt& work, const conf::Issuer& issuer, const std::string& directory,
                         const std::vector<std::string>& challenges) {
  const std::string& name = work.wanted.name;
  AcmeClient& client = tools_.authorities.client_of(issuer, directory);
  const Account account = tools_.authorities.account_of(client, issuer, work.wanted.email);
  const bool is_rehearsal = directory != issuer.directory;
  OrderPlan plan;
  plan.name = name;
  plan.challenges = challenges;
  plan.profile = issuer.profile;
  plan.preferred_chain = issuer.preferred_chain;
  plan.keep = !is_rehearsal;
  if (work.stored && work.stored->directory == directory) {
    plan.replaces = renewal_id(*work.stored->data);
  }
  const DnsClient dns_client(work.wanted.resolvers);
  std::optional<DnsTools> dns;
  if (work.wanted.dns) dns.emplace(DnsTools{dns_client, provider_of(*work.wanted.dns)});
  const OrderTools tools{client,
                         account,
                         tools_.board,
                         tools_.storage,
                         tools_.stop,
                         dns ? &*dns : nullptr,
                         [this, &work] { count_order(work); }};
  Issued issued;
  try {
    issued = run_order(tools, plan);
  } catch (const AcmeFailure& failed) {
    if (failed.type != "alreadyReplaced" || plan.replaces.empty()) throw;
    plan.replaces.clear();
    issued = run_order(tools, plan);
  }
  if (!is_rehearsal) keep(work, issuer, directory, issued);
}

void Orderer::keep(Attempt& work, const conf::Issuer& issuer, const std::string& directory,
                   const Issued& issued) {
  const std::string& name = work.wanted.name;
  const Explained<std::shared_ptr<const net::CertificateData>> data =
      net::parse_certificate(issued.chain_pem, issued.key_pem);
  if (!data) throw AcmeFailure("the authority's certificate cannot be used: " + data.error());
  const std::time_t now = tools_.clock();
  StoredCertificate stored{*data, issuer.name, directory, issued.challenge, now, issued.why};
  tools_.storage.save_certificate(name, stored, issued.chain_pem, issued.key_pem);
  NameState fresh;
  fresh.orders = std::move(work.state.orders);
  fresh.blocked_until = std::move(work.state.blocked_until);
  work.state = std::move(fresh);
  tools_.storage.save_state(name, work.state);
  tools_.storage.drop_order(name);
  const std::time_t due = renewal_due(stored, work.state);
  work.due = std::min(due, now + window_check_shortest);
  if (due <= now || (*data)->not_before > now + hour) {
    // Ordering again would give the same; and again.
    log::error("acme.clock_is_wrong", log::kv("name", name),
               log::kv("text",
                       "by this machine's clock the new certificate is too old or not valid "
                       "yet; set the clock"));
    work.due = now + window_check_period;
  }
  const std::time_t not_after = (*data)->not_after;
  log::info("acme.obtained", log::kv("name", name), log::kv("issuer", issuer.name),
            log::kv("challenge", issued.challenge), log::kv("not_after", not_after));
  work.stored = std::move(stored);
  tools_.on_event({"certificate_obtained", name, issuer.name, "", not_after, 0});
}

DnsProvider& Orderer::provider_of(const conf::Dns& settings) {
  const std::lock_guard<std::mutex> lock(mutex_);
  for (const auto& [known, provider] : providers_) {
    if (known == settings) return *provider;
  }
  providers_.emplace_back(settings, make_dns_provider(settings, {tools_.http, tools_.stop}));
  return *providers_.back().second;
}

}  // namespace portero::acme
