#include "server.hpp"

#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <condition_variable>
#include <ctime>
#include <latch>
#include <map>
#include <mutex>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include <boost/json.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "acme/json_members.hpp"
#include "admin.hpp"
#include "advice.hpp"
#include "base/log.hpp"
#include "certificate_keeper.hpp"
#include "certs.hpp"
#include "conf/load.hpp"
#include "control.hpp"
#include "generation.hpp"
#include "hub/hub.hpp"
#include "metrics.hpp"
#include "name_lookup.hpp"
#include "proxy/upstream.hpp"
#include "rehearsal.hpp"
#include "status.hpp"
#include "systemd_notify.hpp"
#include "worker.hpp"

namespace portero {
namespace {

constexpr std::chrono::milliseconds log_flush_period{200};
constexpr std::chrono::milliseconds file_check_period{1'000};
constexpr std::chrono::minutes certificate_check_period{10};
constexpr std::chrono::milliseconds name_lookup_wait_max{3'000};
constexpr std::chrono::milliseconds name_check_period{250};
constexpr std::chrono::milliseconds drain_check_period{50};
constexpr std::chrono::milliseconds challenge_wait_max{2'000};

// Raises the soft limit of open files to the hard one and returns it. One socket is one file.
std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  ::getrlimit(RLIMIT_NOFILE, &limit);
  limit.rlim_cur = limit.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &limit);
  ::getrlimit(RLIMIT_NOFILE, &limit);
  return limit.rlim_cur;
}

// Without IPv6 in the kernel, "[::]" of the default `bind` is left out instead of refused.
bool has_ipv6() {
  const Fd probe(::socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return probe.is_open();
}

void apply_log_settings(const conf::Config& config) {
  const bool console = config.log_format == "console" ||
                       (config.log_format == "auto" && ::isatty(STDERR_FILENO) == 1);
  log::set_format(console ? log::Format::console : log::Format::json);
  log::set_level(config.log_level == "debug"   ? LogLevel::debug
                 : config.log_level == "warn"  ? LogLevel::warn
                 : config.log_level == "error" ? LogLevel::error
                                               : LogLevel::info);
}

std::string format_problems(const std::vector<conf::Problem>& problems) {
  std::string text;
  for (const conf::Problem& problem : problems) text += conf::format_problem(problem) + "\n";
  return text;
}

class Server {
 public:
  explicit Server(std::string config_path) : config_path_(std::move(config_path)) {}

  int run();

 private:
  using SharedConfig = std::shared_ptr<const conf::Config>;

  SharedConfig load();
  void start_workers(const conf::Config& config);
  void end_workers();
  std::shared_ptr<const Generation> prepare(SharedConfig config);
  void adopt(std::shared_ptr<const Generation> next);
  void call_workers(const Worker::Call& call);
  void start_periodic_work();
  void flush_access_logs();
  CertificateKeeper::Hooks certificate_hooks();
  StatusInput status_input() const;
  void publish_challenges(const std::shared_ptr<const acme::ChallengeAnswers>& answers);
  void refresh_names();
  std::string reload();
  void warn_about_fixed_settings(const conf::Config& next) const;
  void drain();
  std::string answer(std::string_view request);

  std::string config_path_;
  NameLookup name_lookup_{&proxy::resolve_blocking};
  std::map<UpstreamName, conf::Duration> name_periods_;
  std::map<UpstreamName, std::chrono::steady_clock::time_point> looked_up_;
  Control control_;
  std::unique_ptr<hub::Hub> hub_;
  SharedParts shared_;
  std::vector<std::unique_ptr<Worker>> workers_;
  std::atomic<std::size_t> workers_running_{0};
  std::unique_ptr<CertificateKeeper> certificates_;
  std::shared_ptr<const net::TicketKeys> ticket_keys_ = net::TicketKeys::make();
  std::shared_ptr<const Generation> generation_;
  std::string last_reload_;
  std::uint64_t descriptor_limit_ = 0;
  std::int64_t started_unix_ms_ = 0;
  bool looking_up_ = false;            // refresh_names() waits for the job pool
  std::atomic<bool> draining_{false};  // written by control
};

// Start, in order: what can fail without anybody noticing comes first, READY comes last.
int Server::run() {
  coarse_clock().update();
  started_unix_ms_ = coarse_clock().unix_ms;
  descriptor_limit_ = raise_descriptor_limit();
  const SharedConfig config = load();
  apply_log_settings(*config);
  start_workers(*config);
  try {
    certificates_ = std::make_unique<CertificateKeeper>(config->storage, certificate_hooks());
    adopt(prepare(config));
    control_.serve_admin(admin_socket_path(config->admin),
                         [this](std::string_view request) { return answer(request); });
  } catch (...) {
    certificates_.reset();
    call_workers([](Worker& worker) { worker.begin_drain(Milliseconds(0)); });
    end_workers();
    throw;
  }
  control_.on_hang_up([this] { reload(); });
  control_.on_terminate([this] { drain(); });
  start_periodic_work();
  log::info("server.started", log::kv("version", PORTERO_VERSION), log::kv("config", config_path_),
            log::kv("workers", workers_.size()), log::kv("open_files_max", descriptor_limit_));
  notify_systemd("READY=1");
  control_.run();
  certificates_.reset();  // it posts to workers and control
  name_lookup_.stop();
  end_workers();
  flush_access_logs();
  log::info("server.stopped");
  return 0;
}

Server::SharedConfig Server::load() {
  conf::LoadResult loaded = conf::load_config(config_path_, {conf::process_environment()});
  if (!loaded.config) throw std::runtime_error(format_problems(loaded.errors));
  for (const conf::Problem& warning : loaded.warnings) {
    log::warn("config.warning", log::kv("text", conf::format_problem(warning)));
  }
  for (const std::string& advice : advice_for(*loaded.config)) {
    log::warn("config.warning", log::kv("text", advice));
  }
  return loaded.config;
}

void Server::start_workers(const conf::Config& config) {
  const unsigned count =
      config.threads != 0 ? config.threads : std::max(1u, std::thread::hardware_concurrency());
  hub_ = std::make_unique<hub::Hub>(count);
  for (std::size_t i = 0; i < count; ++i) {
    workers_.push_back(std::make_unique<Worker>(
        i, *hub_, shared_, [this](const std::string& asked, const IpAddress& client) {
          certificates_->ask(asked, client);
        }));
    workers_.back()->set_ticket_keys(ticket_keys_);
  }
  for (const std::unique_ptr<Worker>& worker : workers_) worker->start();
}

// The password thread may still be handing an answer to a worker that waits for nothing else.
void Server::end_workers() {
  for (const std::unique_ptr<Worker>& worker : workers_) worker->join();
  shared_.passwords.stop();
  workers_.clear();
}

// Everything that can fail happens here, before anybody has seen the new configuration.
std::shared_ptr<const Generation> Server::prepare(SharedConfig config) {
  const std::vector<std::string> failures = rehearse(*config);
  if (!failures.empty()) throw std::runtime_error(fmt::format("{}", fmt::join(failures, "\n")));
  auto next = std::make_shared<Generation>();
  next->number = generation_ ? generation_->number + 1 : 1;
  next->config = config;
  next->listeners = plan_listeners(*config);
  if (!has_ipv6()) {
    std::erase_if(next->listeners, [](const ListenerSpec& spec) { return spec.address == "[::]"; });
  }
  next->access_logs = open_access_logs(*config, generation_.get());
  next->cookie_key = load_cookie_key(*config);
  next->certificates = certificates_->prepare(config);
  std::vector<UpstreamName> names;
  for (const auto& [name, period] : upstream_names(*config)) names.push_back(name);
  next->names = std::make_shared<ResolvedNames>(name_lookup_.resolve(names, name_lookup_wait_max));
  return next;
}

void Server::adopt(std::shared_ptr<const Generation> next) {
  const std::vector<ListenerSpec> none;
  const std::vector<ListenerSpec>& old = generation_ ? generation_->listeners : none;
  std::vector<std::vector<BoundListener>> added(workers_.size());
  for (const ListenerSpec& spec : next->listeners) {
    if (std::binary_search(old.begin(), old.end(), spec)) continue;
    Explained<std::vector<Fd>> sockets =
        net::open_listeners(spec.address, spec.port, static_cast<unsigned>(workers_.size()));
    if (!sockets) throw std::runtime_error(sockets.error());
    for (std::size_t i = 0; i < workers_.size(); ++i) {
      added[i].push_back({spec, std::move((*sockets)[i])});
    }
  }
  control_.serve_metrics(next->config->metrics, [this] {
    return metrics_text(status_input(), certificates_->authorities().describe(),
                        std::time(nullptr));
  });
  std::latch adopted(static_cast<std::ptrdiff_t>(workers_.size()));
  for (std::size_t i = 0; i < workers_.size(); ++i) {
    auto sockets = std::make_shared<std::vector<BoundListener>>(std::move(added[i]));
    workers_[i]->post([&adopted, next, sockets](Worker& worker) {
      worker.adopt(next, std::move(*sockets));
      adopted.count_down();
    });
  }
  adopted.wait();
  generation_ = std::move(next);
  certificates_->adopt(generation_->config, generation_->certificates);
  // Just looked up, all of them.
  name_periods_ = upstream_names(*generation_->config);
  looked_up_.clear();
  for (const auto& [name, period] : name_periods_) {
    looked_up_.emplace(name, std::chrono::steady_clock::now());
  }
}

void Server::call_workers(const Worker::Call& call) {
  for (const std::unique_ptr<Worker>& worker : workers_) worker->post(call);
}

void Server::start_periodic_work() {
  control_.every(log_flush_period, [this] { flush_access_logs(); });
  control_.every(file_check_period, [this] { certificates_->check_files(); });
  control_.every(certificate_check_period, [this] { certificates_->renew_internal(); });
  control_.every(net::TicketKeys::lifetime, [this] {
    ticket_keys_ = net::TicketKeys::rotate(*ticket_keys_);
    call_workers([keys = ticket_keys_](Worker& worker) { worker.set_ticket_keys(keys); });
  });
  control_.every(name_check_period, [this] { refresh_names(); });
}

void Server::flush_access_logs() {
  for (const AccessLog& log : generation_->access_logs) {
    if (log.sink) log.sink->flush();
  }
}

CertificateKeeper::Hooks Server::certificate_hooks() {
  return {[this](const std::shared_ptr<const acme::ChallengeAnswers>& answers) {
            publish_challenges(answers);
          },
          [this](std::function<void()> call) { control_.post(std::move(call)); },
          [this](const CertificateKeeper::SharedStore& store) {
            auto next = std::make_shared<Generation>(*generation_);
            next->certificates = store;
            generation_ = next;
            call_workers([store](Worker& worker) { worker.set_certificates(store); });
          },
          [this](const std::string& name, bool is_there) {
            call_workers([name, is_there](Worker& worker) { worker.settle(name, is_there); });
          }};
}

// Called on the ACME threads; returns when every worker has the answers. One that does not come to
// it in time will not be asked in time either; when the server ends nobody waits for any.
void Server::publish_challenges(const std::shared_ptr<const acme::ChallengeAnswers>& answers) {
  struct Acknowledged {
    std::mutex mutex;
    std::condition_variable all;
    std::size_t missing = 0;
  };
  auto state = std::make_shared<Acknowledged>();
  state->missing = workers_.size();
  call_workers([answers, state](Worker& worker) {
    worker.set_challenges(answers);
    const std::lock_guard<std::mutex> lock(state->mutex);
    if (--state->missing == 0) state->all.notify_all();
  });
  if (draining_) return;
  std::unique_lock<std::mutex> lock(state->mutex);
  state->all.wait_for(lock, challenge_wait_max, [&state] { return state->missing == 0; });
}

// Looks up again what was last looked up longer ago than its `resolve`.
void Server::refresh_names() {
  if (looking_up_) return;
  const auto now = std::chrono::steady_clock::now();
  std::vector<UpstreamName> due;
  for (const auto& [name, period] : name_periods_) {
    auto& looked_up = looked_up_.try_emplace(name, now).first->second;
    if (now - looked_up < period) continue;
    looked_up = now;
    due.push_back(name);
  }
  if (due.empty()) return;
  looking_up_ = true;
  control_.post_job([this, due = std::move(due)] {
    auto found = std::make_shared<ResolvedNames>(name_lookup_.resolve(due, name_lookup_wait_max));
    control_.post([this, asked = due.size(), found = std::shared_ptr<const ResolvedNames>(found)] {
      looking_up_ = false;
      log::debug("names.looked_up", log::kv("names", asked), log::kv("found", found->size()));
      call_workers([found](Worker& worker) { worker.set_names(found); });
    });
  });
}

// Returns "" when the new configuration is in use, else why nothing has changed.
std::string Server::reload() {
  notify_systemd_reloading();
  std::string problem;
  try {
    const SharedConfig config = load();
    warn_about_fixed_settings(*config);
    adopt(prepare(config));
    apply_log_settings(*config);
    last_reload_ = "ok";
    log::info("server.reloaded", log::kv("generation", generation_->number));
  } catch (const std::exception& failed) {
    problem = failed.what();
    last_reload_ = problem;
    certificates_->keep();
    log::error("server.reload_refused", log::kv("error", problem),
               log::kv("text", "nothing has changed; the old configuration stays in use"));
  }
  notify_systemd("READY=1");
  return problem;
}

void Server::warn_about_fixed_settings(const conf::Config& next) const {
  const conf::Config& now = *generation_->config;
  const auto warn = [](std::string_view key) {
    log::warn("config.needs_restart", log::kv("key", key),
              log::kv("text", "this setting takes effect at the next start"));
  };
  if (next.threads != now.threads) warn("threads");
  if (next.storage != now.storage) warn("storage");
  if (next.admin != now.admin) warn("admin");
}

void Server::drain() {
  if (draining_) return;
  draining_ = true;
  certificates_->stop();
  const conf::Duration grace = generation_->config->grace_period;
  notify_systemd("STOPPING=1");
  log::info("server.draining", log::kv("grace_ms", grace.count()));
  call_workers([grace](Worker& worker) { worker.begin_drain(grace); });
  control_.every(drain_check_period, [this] {
    const bool done = std::all_of(workers_.begin(), workers_.end(),
                                  [](const auto& worker) { return worker->finished(); });
    if (done) control_.stop();
  });
}

StatusInput Server::status_input() const {
  return {*generation_, workers_, config_path_, descriptor_limit_, started_unix_ms_, last_reload_};
}

std::string Server::answer(std::string_view request) {
  boost::system::error_code ec;
  const boost::json::value parsed = boost::json::parse(request, ec);
  const boost::json::value* command =
      !ec && parsed.is_object() ? parsed.get_object().if_contains("command") : nullptr;
  const std::string_view name =
      command != nullptr && command->is_string() ? std::string_view(command->get_string()) : "";
  if (name == "status") {
    return status_json(status_input());
  }
  if (name == "certs")
    return certificates_json(certificates_->authorities().describe(), *generation_);
  boost::json::object reply;
  reply["ok"] = true;
  if (name == "certs-renew" || name == "certs-revoke") {
    const bool revoke = name == "certs-revoke";
    const std::string wanted = acme::text_member(parsed.get_object(), "name");
    reply["ok"] = certificates_->authorities().renew(
        wanted, revoke ? acme::Service::Revoke::yes : acme::Service::Revoke::no);
    reply["text"] =
        fmt::format("{}: {}a new certificate is ordered; see the log and `portero certs`", wanted,
                    revoke ? "the certificate is revoked and " : "");
    reply["error"] = fmt::format(
        "{} has no certificate of a public authority; `portero certs` lists the names", wanted);
  } else if (name == "certs-new-keys") {
    certificates_->authorities().change_account_keys();
    reply["text"] = "the accounts get new keys as soon as no order is under way; see the log";
  } else if (name == "reload") {
    const std::string problem = reload();
    reply["ok"] = problem.empty();
    reply[problem.empty() ? "text" : "error"] =
        problem.empty() ? fmt::format("generation {} in use", generation_->number) : problem;
  } else if (name == "stop") {
    reply["text"] = "draining";
    control_.post([this] { drain(); });
  } else {
    reply["ok"] = false;
    reply["error"] =
        "unknown command; known: status, certs, certs-renew, certs-revoke, certs-new-keys, reload, "
        "stop";
  }
  return boost::json::serialize(reply);
}

}  // namespace

int run_server(const std::string& config_path) {
  try {
    return Server(config_path).run();
  } catch (const std::exception& failed) {
    fmt::print(stderr, "portero: cannot start:\n{}\n", failed.what());
    return 1;
  }
}

}  // namespace portero
