#include "http/access_log.hpp"

#include <algorithm>
#include <array>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/clock.hpp"

namespace portero::http {
namespace {

constexpr std::array<std::string_view, 4> secret_parameters = {"auth", "auth_key", "auth_signature",
                                                               "token"};

bool is_secret(std::string_view name) noexcept {
  return std::any_of(secret_parameters.begin(), secret_parameters.end(),
                     [name](std::string_view secret) { return iequals(secret, name); });
}

std::string timestamp() {
  const std::int64_t unix_ms = coarse_clock().unix_ms;
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:03}Z", fmt::gmtime(std::time_t{unix_ms / 1000}),
                     unix_ms % 1000);
}

void append_json_field(std::string& line, std::string_view key, std::string_view value) {
  line += ",\"";
  line += key;
  line += "\":\"";
  append_json_escaped(line, value);
  line += '"';
}

struct AccessRecord {
  std::string target;
  std::string referer;
  std::string_view user_agent;
  std::string client;
  std::int64_t duration_ms;
};

AccessRecord collect(const Exchange& exchange) {
  AccessRecord record;
  const Request& request = exchange.request;
  record.target =
      mask_secrets(request.original_target.empty() ? request.target : request.original_target);
  if (const Field* referer = request.headers.find("Referer")) {
    record.referer = mask_secrets(referer->value);
  }
  record.user_agent = request.headers.value(FieldId::user_agent).value_or("");
  record.client = request.client_ip.to_string();
  record.duration_ms = coarse_clock().monotonic_ms - exchange.started_ms;
  return record;
}

std::string json_line(const Exchange& exchange, const AccessRecord& record) {
  const Request& request = exchange.request;
  std::string line = fmt::format(R"({{"time":"{}","event":"access","status":{},"duration_ms":{},)"
                                 R"("bytes_sent":{},"bytes_read":{})",
                                 timestamp(), exchange.status_sent, record.duration_ms,
                                 exchange.body_bytes_sent, exchange.body_bytes_read);
  append_json_field(line, "client_ip", record.client);
  append_json_field(line, "method", request.method_text);
  append_json_field(line, "host", request.host);
  append_json_field(line, "uri", record.target);
  append_json_field(line, "protocol", version_text(request.version));
  append_json_field(line, "scheme", request.scheme);
  append_json_field(line, "user_agent", record.user_agent);
  append_json_field(line, "referer", record.referer);
  append_json_field(line, "upstream", exchange.upstream);
  line += '}';
  return line;
}

std::string console_line(const Exchange& exchange, const AccessRecord& record) {
  const Request& request = exchange.request;
  std::string line =
      fmt::format("{} access {} {} ", timestamp(), record.client, exchange.status_sent);
  append_json_escaped(line, request.method_text);
  line += ' ';
  append_json_escaped(line, fmt::format("{}://{}{}", request.scheme, request.host, record.target));
  line += fmt::format(" {} {}ms {}B", version_text(request.version), record.duration_ms,
                      exchange.body_bytes_sent);
  if (!exchange.upstream.empty()) line += fmt::format(" via {}", exchange.upstream);
  return line;
}

}  // namespace

std::string mask_secrets(std::string_view target) {
  const std::size_t question = target.find('?');
  if (question == std::string_view::npos) return std::string(target);
  std::string out(target.substr(0, question + 1));
  std::string_view query = target.substr(question + 1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    const std::size_t equals = parameter.find('=');
    const bool masked = equals != std::string_view::npos && is_secret(parameter.substr(0, equals));
    out += masked ? parameter.substr(0, equals + 1) : parameter;
    if (masked) out += "***";
    query.remove_prefix(end);
    if (!query.empty()) {
      out += '&';
      query.remove_prefix(1);
    }
  }
  return out;
}

std::string format_access_line(const Exchange& exchange, log::Format format) {
  const AccessRecord record = collect(exchange);
  return format == log::Format::json ? json_line(exchange, record) : console_line(exchange, record);
}

}  // namespace portero::http
