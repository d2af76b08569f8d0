#include "metrics.hpp"

#include <map>

#include <fmt/format.h>

namespace portero {
namespace {

// A label's value. Source: Prometheus text format.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '\\' || c == '"') out += '\\';
    if (c == '\n') {
      out += "\\n";
    } else {
      out += c;
    }
  }
  return out;
}

class Page {
 public:
  void begin(std::string_view name, std::string_view type, std::string_view help) {
    name_ = name;
    text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <class Number>
  void add(const std::string& labels, Number value) {
    text_ += fmt::format("{}{}{}{} {}\n", name_, labels.empty() ? "" : "{", labels,
                         labels.empty() ? "" : "}", value);
  }
  template <class Number>
  void single(std::string_view name, std::string_view type, std::string_view help, Number value) {
    begin(name, type, help);
    add("", value);
  }
  std::string take() { return std::move(text_); }

 private:
  std::string_view name_;
  std::string text_;
};

void add_server(Page& page, const StatusInput& input) {
  page.begin("portero_build_info", "gauge", "1, with the version as a label.");
  page.add(fmt::format("version=\"{}\"", PORTERO_VERSION), 1);
  page.single("portero_start_time_seconds", "gauge", "When the server started, in Unix seconds.",
              static_cast<double>(input.started_unix_ms) / 1'000);
  page.single("portero_config_generation", "counter", "How often a site file has been adopted.",
              input.generation.number);
  const bool is_good = input.last_reload.empty() || input.last_reload == "ok";
  page.single("portero_config_last_reload_successful", "gauge", "0 after a reload was refused.",
              is_good ? 1 : 0);
}

void add_workers(Page& page, const StatusInput& input) {
  const auto rows = [&](std::string_view name, std::string_view type, std::string_view help,
                        Counter WorkerFigures::*counter) {
    page.begin(name, type, help);
    for (std::size_t i = 0; i < input.workers.size(); ++i) {
      page.add(fmt::format("worker=\"{}\"", i), (input.workers[i]->figures().*counter).value());
    }
  };
  rows("portero_connections", "gauge", "Connections that are open, sockets included.",
       &WorkerFigures::connections);
  rows("portero_connections_total", "counter", "Connections that were accepted.",
       &WorkerFigures::connections_total);
  rows("portero_requests_total", "counter", "Requests that were answered.",
       &WorkerFigures::requests);
  rows("portero_handshakes_failed_total", "counter", "TLS handshakes that failed.",
       &WorkerFigures::handshakes_failed);
}

void add_hub(Page& page, const StatusInput& input) {
  const auto sum = [&](std::string_view name, std::string_view type, std::string_view help,
                       Counter hub::Stats::*counter) {
    std::int64_t total = 0;
    for (const auto& worker : input.workers) total += (worker->hub_figures().*counter).value();
    page.single(name, type, help, total);
  };
  sum("portero_hub_connections", "gauge", "Hub sockets that are open.", &hub::Stats::connections);
  sum("portero_hub_connections_total", "counter", "Hub sockets that were opened.",
      &hub::Stats::connections_total);
  sum("portero_hub_channels", "gauge", "Channels with subscribers.", &hub::Stats::channels);
  sum("portero_hub_subscriptions", "gauge", "Subscriptions.", &hub::Stats::subscriptions);
  sum("portero_hub_messages_received_total", "counter", "Messages from sockets.",
      &hub::Stats::messages_in);
  sum("portero_hub_messages_sent_total", "counter", "Messages to sockets.",
      &hub::Stats::messages_out);
  sum("portero_hub_publishes_total", "counter", "Events that backends published.",
      &hub::Stats::publishes);
  sum("portero_hub_slow_consumers_closed_total", "counter",
      "Sockets closed as they read too slowly.", &hub::Stats::slow_consumers_closed);
  sum("portero_hub_refused_total", "counter", "Sockets and requests that were refused.",
      &hub::Stats::refused);
}

void add_certificates(Page& page, const StatusInput& input,
                      const std::vector<acme::Standing>& standings, std::time_t now) {
  page.begin("portero_certificate_expiry_seconds", "gauge",
             "Seconds until the certificate in use for a name expires; below 0 once it has.");
  std::map<std::string, std::time_t> ends;
  for (const net::CertificateStore::Identity& identity :
       input.generation.certificates->identities()) {
    for (const std::string& name : identity.certificate->names) {
      ends.emplace(name, identity.certificate->not_after);
    }
  }
  for (const auto& [name, not_after] : ends) {
    page.add(fmt::format("name=\"{}\"", escaped(name)), not_after - now);
  }
  page.begin("portero_certificate_failures", "gauge",
             "Orders for a name that have failed since the last that did not.");
  for (const acme::Standing& standing : standings) {
    page.add(fmt::format("name=\"{}\"", escaped(standing.name)), standing.failures);
  }
  page.begin("portero_certificate_obtained", "gauge",
             "Whether a public authority's certificate serves a name.");
  for (const acme::Standing& standing : standings) {
    page.add(fmt::format("name=\"{}\"", escaped(standing.name)), standing.issuer.empty() ? 0 : 1);
  }
}

}  // namespace

std::string metrics_text(const StatusInput& input, const std::vector<acme::Standing>& standings,
                         std::time_t now) {
  Page page;
  add_server(page, input);
  add_workers(page, input);
  add_hub(page, input);
  add_certificates(page, input, standings, now);
  return page.take();
}

}  // namespace portero
