#include "status.hpp"

#include <algorithm>
#include <ctime>
#include <future>

#include <boost/json.hpp>
#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/clock.hpp"

namespace json = boost::json;

namespace portero {
namespace {

// How long a worker may take to report its pools; one that is slower is left out.
constexpr std::chrono::milliseconds worker_wait_max{1'000};

json::object sum_hub(const std::vector<std::unique_ptr<Worker>>& workers) {
  json::object out;
  const auto sum = [&](const char* key, Counter hub::Stats::*counter) {
    std::int64_t total = 0;
    for (const auto& worker : workers) total += (worker->hub_figures().*counter).value();
    out[key] = total;
  };
  sum("connections", &hub::Stats::connections);
  sum("connections_total", &hub::Stats::connections_total);
  sum("channels", &hub::Stats::channels);
  sum("subscriptions", &hub::Stats::subscriptions);
  sum("messages_in", &hub::Stats::messages_in);
  sum("messages_out", &hub::Stats::messages_out);
  sum("publishes", &hub::Stats::publishes);
  sum("slow_consumers_closed", &hub::Stats::slow_consumers_closed);
  sum("liveness_closed", &hub::Stats::liveness_closed);
  sum("refused", &hub::Stats::refused);
  return out;
}

json::array describe_workers(const std::vector<std::unique_ptr<Worker>>& workers) {
  json::array out;
  for (const auto& worker : workers) {
    const WorkerFigures& figures = worker->figures();
    out.push_back(json::object{{"connections", figures.connections.value()},
                               {"connections_total", figures.connections_total.value()},
                               {"requests", figures.requests.value()},
                               {"handshakes_failed", figures.handshakes_failed.value()},
                               {"hub_connections", worker->hub_figures().connections.value()}});
  }
  return out;
}

json::array describe_certificates(const Generation& generation) {
  json::array out;
  for (const net::CertificateStore::Identity& identity : generation.certificates->identities()) {
    json::array names;
    for (const std::string& name : identity.certificate->names) names.push_back(json::string(name));
    out.push_back(json::object{
        {"names", std::move(names)},
        {"issuer", identity.certificate->issuer},
        {"not_after",
         fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(identity.certificate->not_after))}});
  }
  return out;
}

// One row per upstream address, summed over the workers.
json::array describe_upstreams(const std::vector<std::unique_ptr<Worker>>& workers) {
  std::map<std::string, UpstreamFigures> sums;
  for (const auto& worker : workers) {
    auto promise = std::make_shared<std::promise<std::vector<UpstreamFigures>>>();
    std::future<std::vector<UpstreamFigures>> reported = promise->get_future();
    worker->post([promise](Worker& self) { promise->set_value(self.upstream_figures()); });
    if (reported.wait_for(worker_wait_max) != std::future_status::ready) continue;
    for (const UpstreamFigures& figures : reported.get()) {
      UpstreamFigures& sum = sums[figures.address];
      sum.address = figures.address;
      sum.in_flight += figures.in_flight;
      sum.idle += figures.idle;
      sum.resolved = sum.resolved || figures.resolved;
      sum.healthy = sum.healthy && figures.healthy;
    }
  }
  json::array out;
  for (const auto& [address, figures] : sums) {
    out.push_back(json::object{{"address", address},
                               {"resolved", figures.resolved},
                               {"healthy", figures.healthy},
                               {"in_flight", figures.in_flight},
                               {"idle_connections", figures.idle}});
  }
  return out;
}

json::array describe_sites(const Generation& generation) {
  json::array out;
  for (const conf::Site& site : generation.config->sites) {
    for (const conf::SiteName& name : site.names) {
      const Endpoint endpoint = endpoint_of(*generation.config, site, name);
      out.push_back(json::object{{"name", name.text},
                                 {"port", endpoint.port},
                                 {"tls", endpoint.tls},
                                 {"hub", site.hub.has_value()}});
    }
  }
  return out;
}

void append_table(std::string& out, const json::object& status, const char* key) {
  const json::array& rows = status.at(key).as_array();
  if (rows.empty()) return;
  out += fmt::format("\n{}\n", key);
  for (const json::value& row : rows) {
    out += ' ';
    for (const json::key_value_pair& cell : row.as_object()) {
      const std::string value = cell.value().is_string() ? std::string(cell.value().get_string())
                                                         : json::serialize(cell.value());
      out += fmt::format(" {}: {} ", std::string_view(cell.key()), value);
    }
    out += '\n';
  }
}

}  // namespace

std::string status_json(const StatusInput& input) {
  json::array listeners;
  for (const ListenerSpec& spec : input.generation.listeners) {
    listeners.push_back(json::object{{"listener", spec.to_string()}});
  }
  coarse_clock().update();
  const json::object status{
      {"ok", true},
      {"version", PORTERO_VERSION},
      {"config", input.config_path},
      {"uptime_s", (coarse_clock().unix_ms - input.started_unix_ms) / 1000},
      {"generation", input.generation.number},
      {"last_reload", input.last_reload},
      {"open_files_max", input.descriptor_limit},
      {"listeners", std::move(listeners)},
      {"sites", describe_sites(input.generation)},
      {"certificates", describe_certificates(input.generation)},
      {"upstreams", describe_upstreams(input.workers)},
      {"hub", sum_hub(input.workers)},
      {"workers", describe_workers(input.workers)},
  };
  return json::serialize(status);
}

std::string status_text(std::string_view text) {
  const json::object status = json::parse(text).as_object();
  std::string out = fmt::format(
      "portero {}, up {} s, configuration {} (generation {})\nopen files: at most {}\n",
      std::string_view(status.at("version").as_string()), status.at("uptime_s").as_int64(),
      std::string_view(status.at("config").as_string()), json::serialize(status.at("generation")),
      json::serialize(status.at("open_files_max")));
  if (!status.at("last_reload").as_string().empty()) {
    out += fmt::format("last reload: {}\n", std::string_view(status.at("last_reload").as_string()));
  }
  for (const char* table : {"listeners", "sites", "certificates", "upstreams", "workers"}) {
    append_table(out, status, table);
  }
  out += "\nhub\n";
  for (const json::key_value_pair& cell : status.at("hub").as_object()) {
    out += fmt::format("  {}: {}\n", std::string_view(cell.key()), json::serialize(cell.value()));
  }
  return out;
}

}  // namespace portero
