#include "hub/ws_upgrade.hpp"

#include "hub/hub_traffic.hpp"
#include "hub/ws_connection.hpp"

namespace portero::hub {

WsUpgrade::WsUpgrade(HubShard& shard, conf::HubRef apps) : shard_(shard), apps_(std::move(apps)) {}

Task<Result<>> WsUpgrade::handle(http::Exchange& exchange) {
  const http::Request& request = exchange.request;
  const std::string_view key = socket_path_key(request.path);
  if (key.empty()) {
    co_return co_await http::respond(
        exchange, 404,
        "This is the hub: sockets are at /app/{key}, the HTTP API is at /apps/{id}/events\n");
  }
  const HandshakeProblem problem = check_handshake(request);
  if (problem != HandshakeProblem::none) co_return co_await refuse(exchange, problem);

  AppState* const app = find_app(key);
  const std::string_view origin = request.headers.value(http::FieldId::origin).value_or("");
  Refusal refusal = Refusal::none;
  if (app == nullptr) {
    refusal = Refusal::unknown_app;
  } else if (!app->app.origins.accepts(origin)) {
    refusal = Refusal::origin;
  }
  http::Response response(exchange.arena);
  response.status = 200;
  if (request.version != http::Version::http_2) {
    const std::string accept =
        accept_value(*request.headers.value(http::FieldId::sec_websocket_key));
    response.status = 101;
    response.headers.add("Upgrade", "websocket", http::FieldId::upgrade);
    response.headers.add("Connection", "Upgrade", http::FieldId::connection);
    response.headers.add("Sec-WebSocket-Accept", exchange.arena.copy(accept),
                         http::FieldId::sec_websocket_accept);
  }
  exchange.takeover = std::make_unique<WsConnection>(shard_, app, refusal, request.client_ip);
  const Result<> sent = co_await exchange.send_head(response);
  if (!sent) exchange.takeover.reset();
  co_return sent;
}

AppState* WsUpgrade::find_app(std::string_view key) const {
  AppState* const app = shard_.find_app_state(key);
  return app != nullptr && serves_app(apps_, app->app.id) ? app : nullptr;
}

Task<Result<>> WsUpgrade::refuse(http::Exchange& exchange, HandshakeProblem problem) {
  const bool key_known = find_app(socket_path_key(exchange.request.path)) != nullptr;
  const std::string_view text = exchange.arena.concat(
      "No WebSocket: ", handshake_text(problem),
      ". /app/{key} is the hub's WebSocket endpoint: connect with pusher-js or laravel-echo. "
      "The key in this URL is ",
      key_known ? "the key of an app here" : "not the key of any app here (see REVERB_APP_KEY)",
      ".\n");
  http::Response response(exchange.arena);
  response.status = handshake_status(problem);
  response.headers.add("Content-Type", "text/plain; charset=utf-8", http::FieldId::content_type);
  if (response.status == 405) response.headers.add("Allow", "GET");
  if (response.status == 426) {
    response.headers.add("Upgrade", "websocket", http::FieldId::upgrade);
    response.headers.add("Sec-WebSocket-Version", "13", http::FieldId::sec_websocket_version);
  }
  co_return co_await http::respond(exchange, response, text);
}

}  // namespace portero::hub
