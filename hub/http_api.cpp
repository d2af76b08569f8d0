#include "hub/http_api.hpp"

#include <utility>

#include <fmt/format.h>

#include "base/clock.hpp"
#include "base/log.hpp"
#include "hub/api_channels.hpp"
#include "hub/api_connections.hpp"
#include "hub/api_events.hpp"
#include "hub/api_signature.hpp"
#include "hub/hub_traffic.hpp"

namespace portero::hub {
namespace {

using http::BodyKind;
using http::Exchange;
using http::FieldId;
using http::Method;

std::string too_large_text() {
  return fmt::format(
      "the body is over {} bytes, the limit of the HTTP API (api_body_bytes_max): send a smaller "
      "event, or the events of a batch in several requests",
      api_body_bytes_max);
}

bool announces_too_much(const http::Request& request) noexcept {
  return request.body == BodyKind::length && request.content_length > api_body_bytes_max;
}

// Reads the body to its end; keeps it when `body` is given. False: it is over the limit, and the
// rest is still to come.
Task<Result<bool>> read_body(Exchange& exchange, Buffer* body) {
  if (announces_too_much(exchange.request)) co_return false;
  std::size_t size = 0;
  while (exchange.request.body != BodyKind::none) {
    const Result<Bytes> piece = co_await exchange.read_body();
    if (!piece) co_return piece.error();
    if (piece->empty()) break;
    size += piece->size();
    if (size > api_body_bytes_max) co_return false;
    if (body != nullptr) body->append(*piece);
  }
  co_return true;
}

// Leaves the connection usable after a refusal, unless that would mean reading too much or asking
// a client that waits for 100 (Continue) to send what nobody wants.
Task<Result<>> skip_body(Exchange& exchange, ApiAnswer& refusal) {
  if (exchange.request.expects_continue) {
    refusal.close = true;
    co_return Result<>();
  }
  const Result<bool> whole = co_await read_body(exchange, nullptr);
  if (!whole) co_return whole.error();
  refusal.close = !*whole;
  co_return Result<>();
}

bool is_allowed(ApiResource resource, Method method) noexcept {
  if (takes_post(resource)) return method == Method::post;
  return method == Method::get || method == Method::head;
}

ApiAnswer method_error(ApiResource resource, std::string_view method) {
  const std::string_view allow = takes_post(resource) ? "POST" : "GET, HEAD";
  ApiAnswer answer = api_error(
      405, fmt::format("{} is not allowed here: use {}", method, allow.substr(0, allow.find(','))));
  answer.allow = allow;
  return answer;
}

// From "/apps/" on, in the decoded path.
std::string_view unprefixed(std::string_view path) noexcept {
  const std::size_t at = path.find("/apps/");
  return at == std::string_view::npos ? std::string_view() : path.substr(at);
}

}  // namespace

HttpApi::HttpApi(HubShard& shard, conf::HubRef apps) : shard_(shard), apps_(std::move(apps)) {}

Task<Result<>> HttpApi::handle(Exchange& exchange) {
  ApiAnswer answer;
  const Result<> served = co_await serve(exchange, answer);
  if (!served) co_return served;

  http::Response response(exchange.arena);
  response.status = answer.status;
  response.close = answer.close;
  response.headers.add("Content-Type", "application/json", FieldId::content_type);
  response.headers.add("Cache-Control", "no-cache, private", FieldId::cache_control);
  if (!answer.allow.empty()) response.headers.add("Allow", answer.allow, FieldId::other);
  co_return co_await http::respond(exchange, response, answer.body);
}

Task<Result<>> HttpApi::serve(Exchange& exchange, ApiAnswer& answer) {
  Call call;
  if (!admit(exchange, call, answer)) {
    log::debug("hub.api_refused", log::kv("status", answer.status),
               log::kv("path", exchange.request.path), log::kv("answer", answer.body));
    co_return co_await skip_body(exchange, answer);
  }

  Buffer body;
  const Result<bool> whole = co_await read_body(exchange, &body);
  if (!whole) co_return whole.error();
  if (!*whole) {
    answer = api_error(413, too_large_text());
    answer.close = true;
    co_return Result<>();
  }
  if (call.route.resource != ApiResource::up) {
    const std::string fault = find_body_fault(call.query, body.readable());
    if (!fault.empty()) {
      answer = api_error(401, fault);
      co_return Result<>();
    }
  }
  answer = co_await perform(call, body.readable());
  co_return Result<>();
}

const App* HttpApi::find_app(std::string_view id) const {
  return serves_app(apps_, id) ? shard_.find_app_by_id(id) : nullptr;
}

// Checks everything that can be checked before the body.
bool HttpApi::admit(Exchange& exchange, Call& call, ApiAnswer& refusal) const {
  const http::Request& request = exchange.request;
  const auto refuse = [&refusal](ApiAnswer answer) {
    refusal = std::move(answer);
    return false;
  };

  const std::optional<ApiRoute> route = parse_api_route(request.raw_path, exchange.arena);
  if (!route) {
    return refuse(api_error(404,
                            "no such resource: the API is /apps/{id}/events, batch_events, "
                            "channels, connections and users/{user}/terminate_connections"));
  }
  call.route = *route;
  if (!is_allowed(route->resource, request.method)) {
    return refuse(method_error(route->resource, request.method_text));
  }
  if (route->resource == ApiResource::up) return true;

  const App* const app = find_app(route->app_id);
  if (app == nullptr) {
    return refuse(api_error(404, fmt::format("no app has the id \"{}\" here: compare REVERB_APP_ID",
                                             route->app_id.substr(0, 200))));
  }
  const std::optional<ApiQuery> query = ApiQuery::parse(request.query, exchange.arena);
  if (!query) return refuse(api_error(400, "the query is malformed"));
  call.query = *query;

  const SignedRequest to_check{request.method_text, route->path, request.raw_path,
                               unprefixed(request.path), call.query};
  const std::string fault = find_signature_fault(*app, to_check, coarse_clock().unix_ms);
  if (!fault.empty()) return refuse(api_error(401, fault));
  return true;
}

Task<ApiAnswer> HttpApi::perform(const Call& call, Bytes body) {
  const ApiRoute& route = call.route;
  switch (route.resource) {
    case ApiResource::up: {
      ApiAnswer answer;
      answer.body = "{\"health\":\"OK\"}";
      co_return answer;
    }
    case ApiResource::events: co_return co_await post_event(shard_, route.app_id, body);
    case ApiResource::batch_events: co_return co_await post_batch(shard_, route.app_id, body);
    case ApiResource::channels: co_return co_await get_channels(shard_, route.app_id, call.query);
    case ApiResource::channel:
      co_return co_await get_channel(shard_, route.app_id, route.name, call.query);
    case ApiResource::channel_users:
      co_return co_await get_channel_users(shard_, route.app_id, route.name);
    case ApiResource::connections: co_return co_await get_connections(shard_, route.app_id);
    case ApiResource::terminate_user:
      co_return co_await post_terminate_user(shard_, route.app_id, route.name);
  }
  co_return api_error(500, "internal error");
}

}  // namespace portero::hub
