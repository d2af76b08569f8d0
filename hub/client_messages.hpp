// ClientMessages: what the hub does with a message of a client: rate limit, shape, permission, then
// the shard does the work. Every refusal is told to the client; none closes its socket.
// Thread: the shard.
#pragma once

#include "hub/pusher_protocol.hpp"
#include "hub/socket.hpp"

namespace portero::hub {

class HubShard;

class ClientMessages {
 public:
  explicit ClientMessages(HubShard& shard) noexcept : shard_(shard) {}

  // Limits: those of the socket's app.
  void handle(Socket& socket, Bytes message);

 private:
  static bool within_rate(Socket& socket);
  void refuse_flood(Socket& socket);
  void subscribe(Socket& socket, const Inbound& inbound);
  bool is_authorized(Socket& socket, const Inbound& inbound);
  bool may_be_member(Socket& socket, std::string_view channel, const MemberData* member);
  void client_event(Socket& socket, const Inbound& inbound);
  void error(Socket& socket, PusherCode code, std::string_view message);
  void refuse_subscription(Socket& socket, std::string_view channel, std::string_view type,
                           std::string_view message, unsigned status);

  HubShard& shard_;
  InboundParser parser_;
};

}  // namespace portero::hub
