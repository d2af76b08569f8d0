// Socket: one client of the hub as its shard sees it: who it is, what it has joined, how it is
// doing. Reading is WsConnection's part, writing SocketWriter's.
// Thread: its worker. Owner: the WsConnection it is part of.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/ip_address.hpp"
#include "hub/channel.hpp"
#include "hub/deciseconds.hpp"
#include "hub/identity.hpp"
#include "hub/pusher_frames.hpp"
#include "hub/socket_writer.hpp"

namespace portero::hub {

enum class SocketState : std::uint8_t {
  fresh,    // not yet opened
  open,     // greeted
  closing,  // our Close is queued; the client's is awaited for close_wait
  ended     // both sides have closed, or the stream has failed
};

// Why a socket is refused right after its handshake.
enum class Refusal : std::uint8_t { none, unknown_app, origin };

class Socket : public SocketWriter {
 public:
  Socket(AppState* of_app, Refusal why, const IpAddress& from) noexcept
      : app(of_app), address(from), refusal(why) {}

  void attach(net::ByteStream& stream) noexcept { stream_ = &stream; }
  net::ByteStream& stream() noexcept { return *stream_; }

  AppState* app;  // nullptr: the key is unknown
  SocketId id;
  SocketRef ref;
  std::vector<Membership> memberships;
  IpAddress address;

  Deciseconds last_activity = 0;
  Deciseconds window_start = 0;  // of the message rate limit
  std::uint32_t window_count = 0;

  SocketState state = SocketState::fresh;
  Refusal refusal;
  bool counted = false;             // in the app's totals
  bool counted_by_address = false;  // in the app's per-address totals
  bool pinged = false;              // and nothing has arrived since
};

}  // namespace portero::hub
