#include "http/access_log.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include <fmt/chrono.h>
#include <fmt/format.h>

#include "base/access_fields.hpp"
#include "base/clock.hpp"
#include "net/crypto.hpp"

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

// Keyed, so that a log alone does not tell which address a hash was.
std::string hashed(std::string_view value) {
  static const std::string key = net::random_bytes(32);
  constexpr std::size_t digits = 16;
  return net::hmac_sha256_hex(key, value).substr(0, digits);
}

std::string network_of(IpAddress address) {
  const std::size_t kept = address.is_v4() ? 15 : 6;  // bytes: /24, /48
  std::fill(address.bytes.begin() + static_cast<std::ptrdiff_t>(kept), address.bytes.end(), 0);
  return address.to_string();
}

std::string filtered(std::string_view value, AccessFilter filter) {
  if (filter == AccessFilter::drop || value.empty()) return {};
  return filter == AccessFilter::hash ? hashed(value) : "***";
}

// The target with what is to become of its parameters.
std::string filter_query(std::string_view target, const AccessLogSettings& settings) {
  const std::size_t question = target.find('?');
  std::string out(target.substr(0, question));
  if (question == std::string_view::npos) return out;
  char mark = '?';
  std::string_view query = target.substr(question + 1);
  while (!query.empty()) {
    const std::size_t end = std::min(query.find('&'), query.size());
    const std::string_view parameter = query.substr(0, end);
    query.remove_prefix(std::min(end + 1, query.size()));
    const std::size_t equals = std::min(parameter.find('='), parameter.size());
    const std::string_view name = parameter.substr(0, equals);
    const std::string_view value = parameter.substr(std::min(equals + 1, parameter.size()));
    std::optional<AccessFilter> filter;
    if (equals < parameter.size() && is_secret(name)) filter = AccessFilter::mask;
    for (const auto& [field, wanted] : settings.filters) {
      if (field.starts_with(access_query_prefix) &&
          field.substr(access_query_prefix.size()) == name) {
        filter = wanted;
      }
    }
    if (filter == AccessFilter::drop) continue;
    out += mark;
    mark = '&';
    out += filter ? std::string(name) + "=" + filtered(value, *filter) : std::string(parameter);
  }
  return out;
}

// What a line says, each text as it is to be written.
struct AccessRecord {
  std::array<std::string, access_fields.size()> texts;
  std::array<bool, access_fields.size()> is_dropped{};
  std::int64_t duration_ms = 0;

  const std::string& text(std::string_view field) const { return texts[index_of(field)]; }
  static std::size_t index_of(std::string_view field) {
    const auto* const at = std::find(access_fields.begin(), access_fields.end(), field);
    return static_cast<std::size_t>(at - access_fields.begin());
  }
};

std::string request_id_text(std::uint64_t id) {
  return id == 0 ? std::string() : fmt::format("{:016x}", id);
}

AccessRecord collect(const Exchange& exchange, const AccessLogSettings& settings) {
  AccessRecord record;
  const Request& request = exchange.request;
  const Field* const referer = request.headers.find("Referer");
  record.texts = {
      request.client_ip.to_string(),
      std::string(request.user),
      std::string(request.method_text),
      std::string(request.host),
      filter_query(request.original_target.empty() ? request.target : request.original_target,
                   settings),
      std::string(request.headers.value(FieldId::user_agent).value_or("")),
      referer == nullptr ? std::string() : filter_query(referer->value, settings),
      std::string(exchange.upstream),
      request_id_text(exchange.request_id)};
  record.duration_ms = coarse_clock().monotonic_ms - exchange.started_ms;
  for (const auto& [field, filter] : settings.filters) {
    const std::size_t at = AccessRecord::index_of(field);
    if (at == access_fields.size()) continue;
    const bool is_address = field == "client_ip" && filter == AccessFilter::mask;
    record.texts[at] =
        is_address ? network_of(request.client_ip) : filtered(record.texts[at], filter);
    record.is_dropped[at] = filter == AccessFilter::drop;
  }
  return record;
}

std::string json_line(const Exchange& exchange, const AccessRecord& record) {
  std::string line = fmt::format(R"({{"time":"{}","event":"access","status":{},"duration_ms":{},)"
                                 R"("bytes_sent":{},"bytes_read":{})",
                                 timestamp(), exchange.status_sent, record.duration_ms,
                                 exchange.body_bytes_sent, exchange.body_bytes_read);
  for (std::size_t i = 0; i < access_fields.size(); ++i) {
    const bool is_optional = access_fields[i] == "user" || access_fields[i] == "request_id";
    if (record.is_dropped[i] || (is_optional && record.texts[i].empty())) continue;
    append_json_field(line, access_fields[i], record.texts[i]);
  }
  append_json_field(line, "protocol", version_text(exchange.request.version));
  append_json_field(line, "scheme", exchange.request.scheme);
  line += '}';
  return line;
}

std::string console_line(const Exchange& exchange, const AccessRecord& record) {
  const Request& request = exchange.request;
  std::string line =
      fmt::format("{} access {} {} ", timestamp(), record.text("client_ip"), exchange.status_sent);
  append_json_escaped(line, record.text("method"));
  line += ' ';
  append_json_escaped(
      line, fmt::format("{}://{}{}", request.scheme, record.text("host"), record.text("uri")));
  line += fmt::format(" {} {}ms {}B", version_text(request.version), record.duration_ms,
                      exchange.body_bytes_sent);
  if (!record.text("upstream").empty()) line += fmt::format(" via {}", record.text("upstream"));
  return line;
}

// As Apache writes values that a client chose: nothing breaks the line or the quotes.
void append_quoted(std::string& line, std::string_view value) {
  line += '"';
  if (value.empty()) line += '-';
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      line += '\\';
      line += c;
    } else if (byte < 0x20 || byte >= 0x7f) {
      line += fmt::format("\\x{:02x}", byte);
    } else {
      line += c;
    }
  }
  line += '"';
}

// Source: httpd.apache.org, mod_log_config, "combined".
std::string combined_line(const Exchange& exchange, const AccessRecord& record) {
  const auto or_dash = [](const std::string& text) { return text.empty() ? "-" : text; };
  std::string user = or_dash(record.text("user"));
  std::replace_if(
      user.begin(), user.end(), [](char c) { return c <= ' ' || c == 0x7f; }, '_');
  std::string line =
      fmt::format("{} - {} [{:%d/%b/%Y:%H:%M:%S} +0000] ", or_dash(record.text("client_ip")), user,
                  fmt::gmtime(std::time_t{coarse_clock().unix_ms / 1000}));
  append_quoted(line, fmt::format("{} {} {}", record.text("method"), record.text("uri"),
                                  version_text(exchange.request.version)));
  line += fmt::format(" {} {} ", exchange.status_sent, exchange.body_bytes_sent);
  append_quoted(line, record.text("referer"));
  line += ' ';
  append_quoted(line, record.text("user_agent"));
  return line;
}

}  // namespace

std::string mask_secrets(std::string_view target) { return filter_query(target, {}); }

std::string format_access_line(const Exchange& exchange, const AccessLogSettings& settings) {
  const AccessRecord record = collect(exchange, settings);
  switch (settings.format) {
    case AccessFormat::json: return json_line(exchange, record);
    case AccessFormat::console: return console_line(exchange, record);
    case AccessFormat::combined: break;
  }
  return combined_line(exchange, record);
}

}  // namespace portero::http
