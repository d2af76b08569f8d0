#include "acme/event_sender.hpp"

#include <boost/json.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "acme/process.hpp"
#include "base/log.hpp"

namespace portero::acme {
namespace {

constexpr std::chrono::seconds webhook_pauses[] = {std::chrono::seconds(1), std::chrono::seconds(5),
                                                   std::chrono::seconds(30)};

std::string time_text(std::time_t time) {
  return time == 0 ? std::string() : fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(time));
}

void log_failure(const Event& event, const std::string& problem) {
  log::warn("acme.event_failed", log::kv("kind", event.kind), log::kv("name", event.name),
            log::kv("error", problem));
}

}  // namespace

std::string event_json(const Event& event) {
  return boost::json::serialize(boost::json::object{{"event", event.kind},
                                                    {"name", event.name},
                                                    {"issuer", event.issuer},
                                                    {"text", event.text},
                                                    {"not_after", time_text(event.not_after)},
                                                    {"next_try", time_text(event.next_try)}});
}

EventSender::EventSender() : http_(stop_.flag()), thread_(&EventSender::run, this) {}

EventSender::~EventSender() {
  stop_.stop();
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    ending_ = true;
  }
  work_.notify_all();
  thread_.join();
}

void EventSender::set_hooks(const conf::CertificateEvents& hooks) {
  const std::lock_guard<std::mutex> lock(mutex_);
  hooks_ = hooks;
}

void EventSender::post(const Event& event) {
  {
    const std::lock_guard<std::mutex> lock(mutex_);
    if (hooks_.exec.empty() && hooks_.webhook.empty()) return;
    if (waiting_.size() == waiting_max) {
      log_failure(event, "too many events wait for the hooks");
      return;
    }
    waiting_.push_back(event);
  }
  work_.notify_all();
}

void EventSender::run() {
  std::unique_lock<std::mutex> lock(mutex_);
  for (;;) {
    work_.wait(lock, [this] { return ending_ || !waiting_.empty(); });
    if (ending_) return;
    const Event event = std::move(waiting_.front());
    waiting_.pop_front();
    const conf::CertificateEvents hooks = hooks_;
    lock.unlock();
    try {
      if (!hooks.exec.empty()) tell_command(hooks.exec, event);
      if (!hooks.webhook.empty()) tell_webhook(hooks.webhook, event);
    } catch (const Stopped&) {
      return;
    }
    lock.lock();
  }
}

void EventSender::tell_command(const std::string& path, const Event& event) {
  Command command;
  command.path = path;
  command.arguments = {event.kind, event.name};
  command.environment = {{"PORTERO_EVENT", event.kind},
                         {"PORTERO_NAME", event.name},
                         {"PORTERO_ISSUER", event.issuer},
                         {"PORTERO_TEXT", event.text},
                         {"PORTERO_NOT_AFTER", time_text(event.not_after)},
                         {"PORTERO_NEXT_TRY", time_text(event.next_try)}};
  const std::string problem = run_command(command, stop_);
  if (!problem.empty()) log_failure(event, problem);
}

void EventSender::tell_webhook(const std::string& url, const Event& event) {
  HttpRequest request;
  request.method = "POST";
  request.url = url;
  request.headers = {{"Content-Type", "application/json"}};
  request.body = event_json(event);
  std::string problem;
  for (std::size_t tried = 0;; ++tried) {
    const Explained<HttpResponse> response = http_.send(request);
    if (response && response->status >= 200 && response->status < 300) return;
    problem = response ? fmt::format("{} answers {}", url, response->status) : response.error();
    if (tried == std::size(webhook_pauses)) break;
    stop_.pause(webhook_pauses[tried]);
  }
  log_failure(event, problem);
}

}  // namespace portero::acme
