#include "acme/dns_api.hpp"

#include <fmt/format.h>

#include "acme/json_members.hpp"
#include "acme/problem.hpp"

namespace portero::acme {
namespace {

constexpr std::size_t shown_bytes_max = 300;

// The sentence in a service's error, wherever it keeps it.
std::string said_in(const boost::json::object& body) {
  if (const boost::json::array* errors = list_member(body, "errors")) {
    if (!errors->empty() && errors->front().is_object()) {
      return text_member(errors->front().get_object(), "message");
    }
  }
  if (const boost::json::object* error = map_member(body, "error")) {
    return text_member(*error, "message");
  }
  const std::string message = text_member(body, "message");
  return message.empty() ? text_member(body, "error") : message;
}

}  // namespace

DnsApi::DnsApi(HttpClient& http, std::string service, std::string base, Headers headers)
    : http_(http),
      service_(std::move(service)),
      base_(std::move(base)),
      headers_(std::move(headers)) {
  while (base_.ends_with('/')) base_.pop_back();
}

DnsApi::Answer DnsApi::send(const std::string& method, const std::string& path,
                            const boost::json::object& body) {
  HttpRequest request;
  request.method = method;
  request.url = base_ + path;
  request.headers = headers_;
  if (!body.empty()) {
    request.headers.emplace_back("Content-Type", "application/json");
    request.body = boost::json::serialize(body);
  }
  const Explained<HttpResponse> response = http_.send(request);
  if (!response) throw AcmeFailure(fmt::format("cannot reach {}: {}", service_, response.error()));
  return {response->status, parse_object(response->body), response->body};
}

DnsApi::Answer DnsApi::demand(const std::string& method, const std::string& path,
                              const boost::json::object& body) {
  Answer answer = send(method, path, body);
  if (!answer.is_good()) refuse(answer);
  return answer;
}

void DnsApi::refuse(const Answer& answer) const {
  std::string said = said_in(answer.body);
  if (said.empty()) said = answer.text.substr(0, shown_bytes_max);
  const bool is_access = answer.status == 401 || answer.status == 403;
  throw AcmeFailure(
      fmt::format("{} answers {}: {}{}", service_, answer.status, said,
                  is_access ? "; check `acme.dns`: the key must be allowed to edit DNS" : ""));
}

std::string url_encoded(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool is_plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                          (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (is_plain) {
      out += c;
    } else {
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace portero::acme
