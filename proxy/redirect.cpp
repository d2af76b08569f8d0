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

Task<Result<>> redirect_to_folder(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  Arena& arena = exchange.arena;
  std::string_view target =
      request.original_target.empty() ? request.target : request.original_target;
  const std::size_t mark = target.find('?');
  std::string_view path = target.substr(0, mark);
  // Slashes in front are one, so that "//host/" does not lead away.
  while (path.starts_with('/')) path.remove_prefix(1);
  const std::string_view query =
      mark == std::string_view::npos ? std::string_view() : target.substr(mark);
  http::Response response(arena);
  response.status = 308;
  response.headers.add("Location", arena.concat("/", path, "/", query), http::FieldId::location);
  co_return co_await http::respond(exchange, response, "");
}

}  // namespace portero::proxy
