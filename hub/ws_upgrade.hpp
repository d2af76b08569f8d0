// WsUpgrade: answers GET /app/{key} by turning the connection into a hub socket. What the protocol
// has its own words for (unknown key, origin, limits) is said after the handshake, in frames, as
// clients expect it; only a broken handshake is answered by HTTP, with one line that says what is
// wrong.
// Thread: the worker of its shard. Owner: the routes of a snapshot; the shard outlives them.
#pragma once

#include "conf/config.hpp"
#include "http/handler.hpp"
#include "hub/shard.hpp"
#include "hub/ws_handshake.hpp"

namespace portero::hub {

class WsUpgrade final : public http::Handler {
 public:
  // `apps`: which apps this place serves; keys of others are unknown here.
  WsUpgrade(HubShard& shard, conf::HubRef apps);

  Task<Result<>> handle(http::Exchange& exchange) override;

 private:
  AppState* find_app(std::string_view key) const;
  Task<Result<>> refuse(http::Exchange& exchange, HandshakeProblem problem);

  HubShard& shard_;
  conf::HubRef apps_;
};

}  // namespace portero::hub
