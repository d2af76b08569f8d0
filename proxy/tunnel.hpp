// TunnelSession: after an upgrade, carries bytes between a client and an upstream, whatever they
// mean. Each direction has a buffer only while bytes are under way; the end of one is passed on and
// leaves the other open.
// Thread: the worker's. Owner: the frame that runs the client's connection. Outlives the
// configuration it was made under.
// Source: RFC 9110 §7.8, RFC 8441.
#pragma once

#include <memory>
#include <string>

#include "base/timer_wheel.hpp"
#include "http/exchange.hpp"
#include "proxy/next_turn.hpp"
#include "proxy/upstream_pool.hpp"

namespace portero::proxy {

class TunnelSession final : public http::Session {
 public:
  // `idle`: how long it may carry nothing; zero = for ever. Bytes in the connection's input are the
  // first for the client.
  TunnelSession(Lease lease, Milliseconds idle, NextTurn& next_turn) noexcept;
  ~TunnelSession() override = default;

  Task<> run(std::unique_ptr<net::ByteStream> client, std::string early) override;

 private:
  Task<> carry_to_client(Buffer first);
  Task<> carry(net::ByteStream& from, net::ByteStream& to, Buffer buffer);
  Task<Result<>> carry_bytes(net::ByteStream& from, net::ByteStream& to, Buffer& buffer);
  void cancel(Errc why) noexcept;
  void on_direction_end() noexcept;
  static void on_idle(void* self);

  Lease lease_;
  std::unique_ptr<net::ByteStream> client_;
  Milliseconds idle_;
  NextTurn& next_turn_;
  std::int64_t last_traffic_ms_ = 0;
  Timer idle_timer_;
  bool to_client_ended_ = false;
  WaitPoint ended_;
};

}  // namespace portero::proxy
