#include "proxy/tunnel.hpp"

#include <algorithm>

namespace portero::proxy {
namespace {

constexpr std::size_t carry_bytes_max = 16 * 1024;
// When one side has ended, the other gets no longer than this to say its last words.
constexpr Milliseconds half_open_idle_max{60'000};

}  // namespace

TunnelSession::TunnelSession(Lease lease, Milliseconds idle, NextTurn& next_turn) noexcept
    : lease_(std::move(lease)), idle_(idle), next_turn_(next_turn), idle_timer_(&on_idle, this) {}

Task<> TunnelSession::run(std::unique_ptr<net::ByteStream> client, std::string early) {
  client_ = std::move(client);
  UpstreamConnection& upstream = lease_.connection();
  last_traffic_ms_ = coarse_clock().monotonic_ms;
  if (idle_.count() != 0) idle_timer_.arm(lease_.pool().loop().timers(), idle_);

  spawn(carry_to_client(std::move(upstream.input)));
  Buffer first;
  first.append(early);
  early = std::string();
  co_await carry(*client_, *upstream.stream, std::move(first));
  while (!to_client_ended_) co_await ended_;
  idle_timer_.disarm();
}

Task<> TunnelSession::carry_to_client(Buffer first) {
  co_await carry(*lease_.connection().stream, *client_, std::move(first));
  to_client_ended_ = true;
  ended_.signal();
}

// One direction, to its end.
Task<> TunnelSession::carry(net::ByteStream& from, net::ByteStream& to, Buffer buffer) {
  const Result<> carried = co_await carry_bytes(from, to, buffer);
  if (carried) {
    to.shutdown_write();
    on_direction_end();
  } else {
    cancel(carried.error().code);
  }
}

Task<Result<>> TunnelSession::carry_bytes(net::ByteStream& from, net::ByteStream& to,
                                          Buffer& buffer) {
  FairShare share;
  for (;;) {
    while (!buffer.empty()) {
      const Bytes parts[] = {buffer.readable()};
      const Result<std::size_t> sent = to.try_write(parts);
      if (sent) {
        buffer.consume(*sent);
        last_traffic_ms_ = coarse_clock().monotonic_ms;
        if (share.spend(*sent)) co_await share.next_turn(next_turn_);
      } else if (sent.error() == Errc::would_block) {
        co_await to.writable();
      } else {
        co_return sent.error();
      }
    }
    const Result<std::size_t> got = from.try_read(buffer.prepare(carry_bytes_max));
    if (got && *got == 0) co_return Result<>();
    if (got) {
      buffer.commit(*got);
    } else if (got.error() == Errc::would_block) {
      buffer.release();
      co_await from.readable();
    } else {
      co_return got.error();
    }
  }
}

void TunnelSession::cancel(Errc why) noexcept {
  client_->cancel(why);
  lease_.connection().stream->cancel(why);
}

void TunnelSession::on_direction_end() noexcept {
  idle_ = idle_.count() == 0 ? half_open_idle_max : std::min(idle_, half_open_idle_max);
  last_traffic_ms_ = coarse_clock().monotonic_ms;
  idle_timer_.arm(lease_.pool().loop().timers(), idle_);
}

void TunnelSession::on_idle(void* self) {
  auto& tunnel = *static_cast<TunnelSession*>(self);
  const std::int64_t quiet_ms = coarse_clock().monotonic_ms - tunnel.last_traffic_ms_;
  if (quiet_ms >= tunnel.idle_.count()) {
    tunnel.cancel(Errc::timeout_idle);
  } else {
    tunnel.idle_timer_.arm(tunnel.lease_.pool().loop().timers(),
                           tunnel.idle_ - Milliseconds(quiet_ms));
  }
}

}  // namespace portero::proxy
