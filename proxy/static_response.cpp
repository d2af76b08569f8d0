#include "proxy/static_response.hpp"

#include "base/bytes.hpp"

namespace portero::proxy {

StaticResponse::StaticResponse(const conf::Respond& settings)
    : status_(settings.status), body_(settings.body) {
  for (const auto& [name, value] : settings.headers) {
    headers_.emplace_back(name, Template(value));
    if (!iequals(name, "Content-Type")) continue;
    has_content_type_ = true;
    const std::string type = to_lower(value);
    const bool is_markup =
        type.find("html") != std::string::npos || type.find("xml") != std::string::npos;
    if (is_markup) place_ = Place::html;
  }
}

Task<Result<>> StaticResponse::handle(http::Exchange& exchange) {
  http::Response response(exchange.arena);
  co_return co_await answer(exchange, response);
}

Task<Result<>> StaticResponse::answer(http::Exchange& exchange, http::Response& response) const {
  if (status_ != 0) response.status = status_;
  for (const auto& [name, value] : headers_) {
    response.headers.add(name, value.expand(exchange, Place::field));
  }
  const std::string_view body = body_.expand(exchange, place_);
  if (!has_content_type_ && !body.empty()) {
    response.headers.add("Content-Type", "text/plain; charset=utf-8", http::FieldId::content_type);
  }
  co_return co_await http::respond(exchange, response, body);
}

}  // namespace portero::proxy
