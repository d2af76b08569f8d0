#include "acme/on_demand.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "acme/certificate.hpp"
#include "acme/dns_api.hpp"
#include "base/log.hpp"

namespace portero::acme {
namespace {

constexpr std::chrono::milliseconds ask_time_max{10'000};
// A question costs the user's service less than an order costs the authority.
constexpr unsigned questions_per_order = 10;

}  // namespace

bool Budget::take(const IpAddress& client, unsigned all_max, unsigned each_max, std::time_t period,
                  std::time_t now) {
  if (now >= began_ + period || now < began_) {
    began_ = now;
    used_ = 0;
    used_by_.clear();
  }
  if (used_ >= all_max) return false;
  unsigned& used = used_by_[client];
  if (used >= each_max) return false;
  ++used;
  ++used_;
  return true;
}

std::string ask_permission(HttpClient& http, const std::string& url, const std::string& name,
                           const std::string& client) {
  HttpRequest request;
  request.url = fmt::format("{}{}domain={}", url, url.find('?') == std::string::npos ? '?' : '&',
                            url_encoded(name));
  if (!client.empty()) {
    request.url += "&client_ip=" + url_encoded(client);
    request.headers.emplace_back("X-Forwarded-For", client);
  }
  request.timeout = ask_time_max;
  const Explained<HttpResponse> response = http.send(request);
  if (!response) return response.error();
  if (response->status >= 200 && response->status < 300) return {};
  return fmt::format("`ask` answers {} for {}", response->status, name);
}

OnDemand::OnDemand(Decided decided, std::function<std::time_t()> clock)
    : decided_(std::move(decided)), clock_(std::move(clock)), http_(stop_.flag()) {}

OnDemand::~OnDemand() {
  stop();
  for (std::thread& thread : threads_) thread.join();
}

void OnDemand::stop() {
  stop_.stop();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  work_.notify_all();
}

void OnDemand::set_rules(const std::optional<conf::OnDemand>& rules) {
  const std::lock_guard<std::mutex> lock(mutex_);
  if (rules_ != rules) memory_.clear();
  rules_ = rules;
}

void OnDemand::ask(const std::string& name, const IpAddress& client) {
  std::unique_lock<std::mutex> lock(mutex_);
  if (under_way_.contains(name)) return;
  const bool is_possible = rules_ && is_certificate_name(name) && !name.starts_with("*.") &&
                           name.find('.') != std::string::npos && !IpAddress::parse(name);
  const auto known = memory_.find(name);
  const bool is_known = known != memory_.end() && known->second.until > clock_();
  bool allowed = is_possible && is_known && known->second.allowed;
  if (is_possible && !is_known && !ending_) {
    const unsigned all = rules_->names_max * questions_per_order;
    const bool fits =
        waiting_.size() < waiting_max && questions_.take(client, all, std::max(1U, all / 2),
                                                         rules_->period.count() / 1'000, clock_());
    if (fits) {
      waiting_.push_back({name, client});
      under_way_.insert(name);
      if (threads_.size() < threads_max) threads_.emplace_back(&OnDemand::run, this);
      work_.notify_one();
      return;
    }
    log::warn("acme.on_demand_limited", log::kv("name", name),
              log::kv("client", client.to_string()));
  }
  lock.unlock();
  decided_(name, allowed);
}

void OnDemand::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    const Question question = std::move(waiting_.front());
    waiting_.pop_front();
    answer(question, lock);
  }
}

void OnDemand::answer(const Question& question, std::unique_lock<std::mutex>& lock) {
  const std::string url = rules_ ? rules_->ask : "";
  lock.unlock();
  const std::string problem =
      url.empty() ? "nothing is allowed"
                  : ask_permission(http_, url, question.name, question.client.to_string());
  lock.lock();
  if (ending_) return;
  under_way_.erase(question.name);
  const bool is_refused = problem.starts_with("`ask` answers 4");
  bool allowed = problem.empty();
  if (allowed && !may_order(question.client)) {
    allowed = false;
    remember(question.name, false, unreachable_for);
    log::warn("acme.on_demand_limited", log::kv("name", question.name),
              log::kv("client", question.client.to_string()));
  } else if (allowed) {
    remember(question.name, true, allowed_for);
  } else {
    remember(question.name, false, is_refused ? refused_for : unreachable_for);
    log::info("acme.on_demand_refused", log::kv("name", question.name),
              log::kv("client", question.client.to_string()), log::kv("why", problem));
  }
  lock.unlock();
  decided_(question.name, allowed);
  lock.lock();
}

bool OnDemand::may_order(const IpAddress& client) {
  if (!rules_) return false;
  return orders_.take(client, rules_->names_max, std::max(1U, rules_->names_max / 2),
                      rules_->period.count() / 1'000, clock_());
}

void OnDemand::remember(const std::string& name, bool allowed, std::time_t seconds) {
  const std::time_t now = clock_();
  if (memory_.size() >= remembered_max) {
    std::erase_if(memory_, [now](const auto& one) { return one.second.until <= now; });
  }
  if (memory_.size() >= remembered_max) memory_.clear();
  memory_[name] = {allowed, now + seconds};
}

}  // namespace portero::acme
