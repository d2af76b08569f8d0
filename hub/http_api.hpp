// HttpApi: the Pusher HTTP API, by which applications publish and ask what is occupied, and
// GET /up. Life of a call: route (404, 405) → app (404) → signature (401) → body (413) →
// body_md5 (401) → the resource (api_events, api_channels, api_connections).
// Nobody who has not signed makes the hub keep a byte of a body. Nothing waits for a socket.
//
// Thread: the worker of its shard. Owner: the routes of a snapshot; the shard outlives them.
#pragma once

#include "base/buffer.hpp"
#include "conf/config.hpp"
#include "http/handler.hpp"
#include "hub/api_answer.hpp"
#include "hub/api_query.hpp"
#include "hub/api_route.hpp"
#include "hub/shard.hpp"

namespace portero::hub {

constexpr std::size_t api_body_bytes_max = 1024 * 1024;

class HttpApi final : public http::Handler {
 public:
  // `apps`: which apps this place serves; the others are unknown here.
  HttpApi(HubShard& shard, conf::HubRef apps);

  Task<Result<>> handle(http::Exchange& exchange) override;

 private:
  // A call that has passed its checks.
  struct Call {
    ApiRoute route;
    ApiQuery query;
  };

  const App* find_app(std::string_view id) const;
  bool admit(http::Exchange& exchange, Call& call, ApiAnswer& refusal) const;
  Task<Result<>> serve(http::Exchange& exchange, ApiAnswer& answer);
  Task<ApiAnswer> perform(const Call& call, Bytes body);

  HubShard& shard_;
  conf::HubRef apps_;
};

}  // namespace portero::hub
