// Decides which names that clients ask for may have certificates: the user's service is asked, its
// answers are remembered, and nobody can make it, or an authority, be asked without end.
// Thread: ask() and set_rules() any; `decided` is called on threads of its own. Owner: the
// certificate keeper.
#pragma once

#include <condition_variable>
#include <ctime>
#include <deque>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "acme/curl_client.hpp"
#include "acme/stop_signal.hpp"
#include "base/ip_address.hpp"
#include "conf/config_acme.hpp"

namespace portero::acme {

// So many in a period, of all clients and of each address. Pure.
class Budget {
 public:
  // False when it is used up.
  bool take(const IpAddress& client, unsigned all_max, unsigned each_max, std::time_t period,
            std::time_t now);

 private:
  std::time_t began_ = 0;
  unsigned used_ = 0;
  std::map<IpAddress, unsigned> used_by_;
};

// GET `url`?domain=NAME&client_ip=ADDRESS. Returns "" when the answer is 2xx, else what it was.
std::string ask_permission(HttpClient& http, const std::string& url, const std::string& name,
                           const std::string& client);

class OnDemand {
 public:
  static constexpr std::size_t threads_max = 4;
  static constexpr std::size_t waiting_max = 100;
  static constexpr std::size_t remembered_max = 10'000;
  static constexpr std::time_t allowed_for = 3'600;  // seconds
  static constexpr std::time_t refused_for = 300;
  static constexpr std::time_t unreachable_for = 10;

  using Decided = std::function<void(const std::string& name, bool allowed)>;

  OnDemand(Decided decided, std::function<std::time_t()> clock);
  ~OnDemand();
  OnDemand(const OnDemand&) = delete;
  OnDemand& operator=(const OnDemand&) = delete;

  // nullopt: nothing is allowed.
  void set_rules(const std::optional<conf::OnDemand>& rules);
  // `decided` is called sooner or later, perhaps before this returns; once for all who ask for the
  // same name meanwhile.
  void ask(const std::string& name, const IpAddress& client);
  void stop();

 private:
  struct Question {
    std::string name;
    IpAddress client;
  };
  struct Memory {
    bool allowed = false;
    std::time_t until = 0;
  };

  void run();
  void answer(const Question& question, std::unique_lock<std::mutex>& lock);
  void remember(const std::string& name, bool allowed, std::time_t seconds);
  bool may_order(const IpAddress& client);

  const Decided decided_;
  const std::function<std::time_t()> clock_;
  StopSignal stop_;
  CurlClient http_;
  std::mutex mutex_;
  std::condition_variable work_;
  std::optional<conf::OnDemand> rules_;
  std::map<std::string, Memory> memory_;
  std::deque<Question> waiting_;
  std::set<std::string> under_way_;  // names of questions that have no answer yet
  Budget questions_;
  Budget orders_;
  bool ending_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace portero::acme
