// Tells the user's command and webhook what happens to certificates, one event after the other.
// Thread: post() and set_hooks() any; the hooks are called on a thread of its own. Owner: the
// server. The destructor gives up what is still waiting.
#pragma once

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "acme/curl_client.hpp"
#include "acme/event.hpp"
#include "acme/stop_signal.hpp"
#include "conf/config_acme.hpp"

namespace portero::acme {

class EventSender {
 public:
  static constexpr std::size_t waiting_max = 1'000;  // what does not fit is logged and dropped

  EventSender();
  ~EventSender();
  EventSender(const EventSender&) = delete;
  EventSender& operator=(const EventSender&) = delete;

  void set_hooks(const conf::CertificateEvents& hooks);
  void post(const Event& event);

 private:
  void run();
  void tell_command(const std::string& path, const Event& event);
  void tell_webhook(const std::string& url, const Event& event);

  StopSignal stop_;
  CurlClient http_;
  std::mutex mutex_;
  std::condition_variable work_;
  conf::CertificateEvents hooks_;
  std::deque<Event> waiting_;
  bool ending_ = false;
  std::thread thread_;
};

// {"event": …, "name": …, …}; times as in RFC 3339.
std::string event_json(const Event& event);

}  // namespace portero::acme
