#include "proxy/cgi_environment.hpp"

#include <algorithm>
#include <array>
#include <charconv>

#include "base/bytes.hpp"
#include "proxy/fastcgi_codec.hpp"
#include "proxy/forwarded.hpp"
#include "proxy/hop_by_hop.hpp"

namespace portero::proxy {
namespace {

using http::Field;
using http::FieldId;

constexpr std::string_view prefix = "HTTP_";
constexpr std::size_t params_bytes_usual = 2048;

class Environment {
 public:
  Environment(const CgiSettings& settings, Buffer& params) noexcept
      : settings_(settings), params_(params) {}

  void add(std::string_view name, std::string_view value) {
    const bool is_set = std::any_of(settings_.env.begin(), settings_.env.end(),
                                    [&](const auto& variable) { return variable.first == name; });
    if (!is_set) append_param(name, value, params_);
  }
  void add_number(std::string_view name, std::uint64_t value) {
    std::array<char, 20> text;
    const char* end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
    add(name, {text.data(), static_cast<std::size_t>(end - text.data())});
  }

 private:
  const CgiSettings& settings_;
  Buffer& params_;
};

// What becomes of a byte of a field's name in the variable's; 0: the field is not passed on.
constexpr auto variable_bytes = [] {
  std::array<char, 256> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<unsigned char>(c)] = c;
  for (char c = 'A'; c <= 'Z'; ++c) {
    table[static_cast<unsigned char>(c)] = c;
    table[static_cast<unsigned char>(c - 'A' + 'a')] = c;
  }
  table['-'] = '_';
  return table;
}();

// "HTTP_X_NAME", or "" for a name that is not passed on: PHP makes one variable of "X-Name",
// "X_Name" and "X.Name", so only the first form may speak.
std::string_view variable_name(std::string_view name, Arena& arena) {
  char* const out = arena.allocate_array<char>(prefix.size() + name.size());
  char* at = std::copy(prefix.begin(), prefix.end(), out);
  for (const char c : name) {
    const char byte = variable_bytes[static_cast<unsigned char>(c)];
    if (byte == 0) return {};
    *at++ = byte;
  }
  return {out, static_cast<std::size_t>(at - out)};
}

bool passes(const Field& field, const NominatedFields& nominated) {
  switch (field.id) {
    case FieldId::content_length:
    case FieldId::content_type:
    case FieldId::expect:
    case FieldId::host: return false;
    case FieldId::other: break;
    default: break;
  }
  return !is_forwarding_field(field) && is_end_to_end(field, nominated);
}

// The values of all fields of that name, as one.
std::string_view joined(const http::HeaderList& fields, const Field& first, Arena& arena) {
  std::string_view value = first.value;
  const std::string_view between = first.id == FieldId::cookie ? "; " : ", ";
  for (const Field* field = &first + 1; field != fields.end(); ++field) {
    if (field->id != first.id || !iequals(field->name, first.name)) continue;
    value = value.empty() ? field->value : arena.concat(value, between, field->value);
  }
  return value;
}

bool is_first_of_its_name(const http::HeaderList& fields, const Field& field) {
  for (const Field* earlier = fields.begin(); earlier != &field; ++earlier) {
    if (earlier->id == field.id && iequals(earlier->name, field.name)) return false;
  }
  return true;
}

// Over TLS, or so says a proxy that is trusted.
bool is_https(const http::Request& request) noexcept {
  if (request.trusted_peer) {
    const std::optional<std::string_view> said = request.headers.value(FieldId::x_forwarded_proto);
    if (said && !said->empty()) return iequals(*said, "https");
  }
  return request.scheme == "https";
}

void add_fields(http::Exchange& exchange, const CgiSettings& settings, std::string_view client,
                Environment& environment) {
  const http::Request& request = exchange.request;
  http::HeaderList fields(exchange.arena);
  if (!request.authority.empty()) fields.add("Host", request.authority, FieldId::host);
  const NominatedFields nominated(request.headers);
  for (const Field& field : request.headers) {
    if (passes(field, nominated)) fields.add(field.name, field.value, field.id);
  }
  add_forwarded_fields(exchange, fields);
  // REMOTE_ADDR is the client already, so nobody needs to look behind proxies a second time.
  fields.remove(FieldId::x_forwarded_for);
  fields.add("X-Forwarded-For", client, FieldId::x_forwarded_for);
  settings.headers_up.apply(fields, exchange);
  for (const Field& field : fields) {
    if (!is_first_of_its_name(fields, field)) continue;
    const std::string_view name = variable_name(field.name, exchange.arena);
    if (name.empty() || name == "HTTP_PROXY") continue;
    environment.add(name, joined(fields, field, exchange.arena));
  }
}

void add_script(http::Exchange& exchange, const CgiScript& script, Environment& environment) {
  const http::Request& request = exchange.request;
  const PhpTarget& target = script.target;
  Arena& arena = exchange.arena;
  const bool is_rewritten = !request.original_target.empty();
  environment.add("REQUEST_URI", is_rewritten ? request.original_target : request.target);
  environment.add("QUERY_STRING", target.query);
  environment.add("SCRIPT_NAME", target.script);
  environment.add("SCRIPT_FILENAME", arena.concat(script.document_root, target.script));
  environment.add("DOCUMENT_URI", arena.concat(target.script, target.path_info));
  const bool is_top = script.document_root.empty();
  environment.add("DOCUMENT_ROOT", is_top ? std::string_view("/") : script.document_root);
  if (target.path_info.empty()) return;
  environment.add("PATH_INFO", target.path_info);
  environment.add("PATH_TRANSLATED", arena.concat(script.document_root, target.path_info));
}

std::string_view protocol_text(http::Version version) noexcept {
  return version == http::Version::http_2 ? "HTTP/2.0" : http::version_text(version);
}

void add_connection(http::Exchange& exchange, std::string_view client, Environment& environment) {
  const http::Request& request = exchange.request;
  const http::ConnectionInfo& connection = exchange.connection;
  const bool https = is_https(request);
  environment.add("SERVER_SOFTWARE", "portero");
  environment.add("SERVER_PROTOCOL", protocol_text(request.version));
  environment.add("SERVER_NAME", request.host);
  environment.add("SERVER_ADDR", address_text(connection.local, exchange.arena));
  environment.add_number("SERVER_PORT", connection.local_port);
  if (!request.user.empty()) environment.add("REMOTE_USER", request.user);
  environment.add("REMOTE_ADDR", client);
  const bool is_peer = request.client_ip == connection.peer;
  environment.add_number("REMOTE_PORT", is_peer ? connection.peer_port : 0);
  environment.add("REQUEST_SCHEME", https ? "https" : "http");
  if (https) environment.add("HTTPS", "on");
}

}  // namespace

void append_cgi_environment(http::Exchange& exchange, const CgiSettings& settings,
                            const CgiScript& script, Buffer& params) {
  const http::Request& request = exchange.request;
  const std::string_view client = address_text(request.client_ip, exchange.arena);
  params.prepare(params_bytes_usual);
  Environment environment(settings, params);
  environment.add("GATEWAY_INTERFACE", "CGI/1.1");
  environment.add("REDIRECT_STATUS", "200");
  environment.add("REQUEST_METHOD", request.method_text);
  add_script(exchange, script, environment);
  add_connection(exchange, client, environment);
  const Field* type = request.headers.find(FieldId::content_type);
  environment.add("CONTENT_TYPE", type == nullptr ? std::string_view() : type->value);
  if (script.has_body) {
    environment.add_number("CONTENT_LENGTH", script.body_bytes);
  } else {
    environment.add("CONTENT_LENGTH", "");
  }
  add_fields(exchange, settings, client, environment);
  for (const auto& [name, value] : settings.env) {
    append_param(name, value.expand(exchange, Place::text), params);
  }
}

}  // namespace portero::proxy
