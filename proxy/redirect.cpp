#include "proxy/redirect.hpp"

namespace portero::proxy {

Redirect::Redirect(const conf::Redirect& settings) : status_(settings.status), to_(settings.to) {}

Task<Result<>> Redirect::handle(http::Exchange& exchange) {
  std::string_view location = to_.expand(exchange, Place::url);
  // A client that asks for //evil.example must not be sent there: to browsers "//" and "/\" start
  // the name of a host.
  if (to_.begins_with_placeholder()) {
    while (location.size() > 1 && location[0] == '/' &&
           (location[1] == '/' || location[1] == '\\')) {
      location.remove_prefix(1);
      if (location[0] == '\\') location = exchange.arena.concat("/", location.substr(1));
    }
  }
  co_return co_await redirect_to(exchange, status_, location);
}

Task<Result<>> redirect_to(http::Exchange& exchange, int status, std::string_view location) {
  http::Response response(exchange.arena);
  response.status = status;
  response.headers.add("Location", location, http::FieldId::location);
  response.headers.add("Content-Type", "text/plain; charset=utf-8", http::FieldId::content_type);
  const std::string_view body = exchange.arena.concat("See ", location, "\n");
  co_return co_await http::respond(exchange, response, body);
}

}  // namespace portero::proxy
