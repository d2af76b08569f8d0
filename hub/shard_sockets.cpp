// HubShard's part about the life of a socket: greeting, liveness, closing, draining.
#include <algorithm>

#include "base/assert.hpp"
#include "hub/shard.hpp"

namespace portero::hub {

void HubShard::open(Socket& socket) {
  PORTERO_ASSERT(socket.state == SocketState::fresh);
  const Deciseconds now = deciseconds_now();
  socket.id = SocketId::random();
  socket.last_activity = now;
  socket.state = SocketState::open;
  if (sockets_.size() == 0) sweep_timer_.arm(timers_, sweep_interval);
  sockets_.add(socket, now);
  if (socket.refusal == Refusal::unknown_app) {
    return fail(socket, PusherCode::unknown_app,
                "Application does not exist: compare REVERB_APP_KEY of the server with "
                "VITE_REVERB_APP_KEY of the page");
  }
  if (socket.refusal == Refusal::origin) {
    return fail(socket, PusherCode::unauthorized, "Origin not allowed");
  }
  if (drain_.active) return fail(socket, PusherCode::busy, "The server is shutting down");
  switch (admit(socket)) {
    case Admission::ok: break;
    case Admission::app_full:
      return fail(socket, PusherCode::over_quota, "Application is over connection quota");
    case Admission::address_full:
      return fail(socket, PusherCode::busy, "Too many connections from this address");
  }
  const App& app = socket.app->app;
  sockets_.check_at(socket, now + to_deciseconds(app.ping_interval));
  stats_.connections_total.add();
  send(socket, frames::connection_established(socket.id.to_string(), app.activity_timeout));
}

Admission HubShard::admit(Socket& socket) {
  PORTERO_ASSERT(socket.app != nullptr && !socket.counted);
  const App& app = socket.app->app;
  const Admission admission = socket.app->totals->enter(app, socket.address);
  if (admission != Admission::ok) return admission;
  socket.counted = true;
  socket.counted_by_address = app.connections_per_ip_max != 0;
  stats_.connections.add();
  return admission;
}

void HubShard::uncount(Socket& socket) {
  if (!socket.counted) return;
  socket.counted = false;
  socket.app->totals->leave(socket.address, socket.counted_by_address);
  stats_.connections.sub();
}

void HubShard::on_activity(Socket& socket) noexcept {
  socket.last_activity = deciseconds_now();
  socket.pinged = false;
}

void HubShard::on_message(Socket& socket, Bytes message) {
  if (socket.state != SocketState::open) return;
  stats_.messages_in.add();
  client_messages_.handle(socket, message);
}

void HubShard::send(Socket& socket, FrameRef frame) {
  if (socket.state != SocketState::open) return;
  queue_.push(socket, std::move(frame));
  stats_.messages_out.add();
}

void HubShard::fail(Socket& socket, PusherCode code, std::string_view message) {
  if (!socket.counted) stats_.refused.add();
  send(socket, frames::error(code, message));
  close(socket, static_cast<unsigned>(code), message);
}

void HubShard::close(Socket& socket, unsigned code, std::string_view reason) {
  if (socket.state != SocketState::open) return;
  depart(socket);
  socket.state = SocketState::closing;
  queue_.push_last(socket, frames::close(code, reason));
}

void HubShard::depart(Socket& socket) {
  socket.state = SocketState::ended;
  leave_all(socket);
  uncount(socket);
  sockets_.check_at(socket, deciseconds_now() + to_deciseconds(close_wait));
}

void HubShard::remove(Socket& socket) {
  PORTERO_ASSERT(socket.state == SocketState::ended && socket.memberships.empty());
  queue_.forget(socket);
  sockets_.remove(socket);
  if (sockets_.size() == 0) sweep_timer_.disarm();
}

void HubShard::on_overflow(void* self, SocketWriter& writer) {
  HubShard& shard = *static_cast<HubShard*>(self);
  Socket& socket = static_cast<Socket&>(writer);
  if (socket.state != SocketState::open || socket.stream().failure() != Errc::ok) return;
  shard.close_slow(socket);
}

void HubShard::close_slow(Socket& socket) {
  stats_.slow_consumers_closed.add();
  close(socket, static_cast<unsigned>(PusherCode::busy), "Too much unread data");
}

void HubShard::on_sweep(void* self) { static_cast<HubShard*>(self)->sweep(); }

void HubShard::sweep() {
  const Deciseconds now = deciseconds_now();
  sockets_.for_each_due(now, [this, now](Socket& socket) { check(socket, now); });
  if (drain_.active) continue_drain();
  sweep_timer_.arm(timers_, sweep_interval);
}

void HubShard::check(Socket& socket, Deciseconds now) {
  if (socket.state == SocketState::open) return check_liveness(socket, now);
  // Neither a Close nor an end came in time.
  sockets_.check_at(socket, now + to_deciseconds(close_wait));
  socket.stream().cancel(Errc::timeout_idle);
}

// Pings with RFC 6455 frames: every client library answers those, while pusher:ping stays
// unanswered by some SDKs.
void HubShard::check_liveness(Socket& socket, Deciseconds now) {
  const Deciseconds interval = to_deciseconds(socket.app->app.ping_interval);
  const Deciseconds idle = now - socket.last_activity;
  // One who goes on talking but does not read would keep its queue for ever.
  if (socket.blocked_for(now) >= interval) return close_slow(socket);
  if (socket.pinged) {
    stats_.liveness_closed.add();
    return fail(socket, PusherCode::no_pong, "Pong reply not received in time");
  }
  if (idle < interval) return sockets_.check_at(socket, socket.last_activity + interval);
  socket.pinged = true;
  send(socket, ping_frame_);
  sockets_.check_at(socket, now + interval);
}

void HubShard::begin_drain(Milliseconds spread) {
  if (drain_.active) return;
  drain_.active = true;
  drain_.ends_ms = coarse_clock().monotonic_ms + spread.count();
  continue_drain();
}

// Closes an even share of what is open at every sweep, all that is left at the last.
void HubShard::continue_drain() {
  const std::int64_t left_ms = drain_.ends_ms - coarse_clock().monotonic_ms;
  const std::int64_t sweeps_left = std::max<std::int64_t>(1, left_ms / sweep_interval.count());
  const auto open = static_cast<std::size_t>(stats_.connections.value());
  std::size_t share =
      (open + static_cast<std::size_t>(sweeps_left) - 1) / static_cast<std::size_t>(sweeps_left);
  // Slots are visited once: sockets that come later are refused at once.
  while (share > 0) {
    const std::size_t closed_before = share;
    drain_.next_slot = sockets_.for_some(drain_.next_slot, 1, [&](Socket& socket) {
      if (socket.state != SocketState::open) return;
      close(socket, static_cast<unsigned>(PusherCode::reconnect),
            "Server closed. Please reconnect shortly.");
      --share;
    });
    if (share == closed_before && drain_.next_slot >= sockets_.slot_count()) return;
  }
}

void HubShard::abort_all() {
  sockets_.for_each([](Socket& socket) { socket.stream().cancel(Errc::cancelled); });
  // Other workers may have stopped already: nobody waits for their answers from now on.
  aborted_ = true;
  for (const auto& [ticket, gathering] : gatherings_) gathering->complete.signal();
}

}  // namespace portero::hub
