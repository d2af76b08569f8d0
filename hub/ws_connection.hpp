// WsConnection: the session of one hub socket: reads frames from the stream, lets the shard act on
// them, and stays until both sides have closed. While it waits it holds this object, its coroutine
// frame and nothing else: bytes are read into the shard's buffer.
// Thread: its worker. Owner: the connection that handed over its stream.
#pragma once

#include "http/exchange.hpp"
#include "hub/shard.hpp"
#include "hub/ws_codec.hpp"

namespace portero::hub {

class WsConnection final : public http::Session {
 public:
  // `app` is nullptr when the key is unknown; with a refusal the client only hears why.
  WsConnection(HubShard& shard, AppState* app, Refusal refusal, const IpAddress& address) noexcept
      : shard_(shard), socket_(app, refusal, address) {}

  Task<> run(std::unique_ptr<net::ByteStream> stream, std::string early) override;

 private:
  void receive(MutableBytes bytes);
  void on_close(const WsClose& close);
  void on_violation(Errc why);
  std::size_t message_bytes_max() const noexcept;

  HubShard& shard_;
  Socket socket_;
  WsCodec codec_;
  bool discarding_ = false;  // the client broke the protocol: what it still says is not read
};

}  // namespace portero::hub
