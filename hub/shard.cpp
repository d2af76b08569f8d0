#include "hub/shard.hpp"

#include "base/assert.hpp"

namespace portero::hub {

HubShard::HubShard(Hub& hub, std::size_t worker, Waker& waker, TimerWheel& timers)
    : hub_(hub),
      worker_(static_cast<std::uint32_t>(worker)),
      waker_(waker),
      timers_(timers),
      apps_(hub),
      sockets_(worker_),
      queue_(&on_overflow, this),
      client_messages_(*this),
      read_buffer_(std::make_unique<char[]>(read_buffer_bytes)),
      sweep_timer_(&on_sweep, this),
      ping_frame_(FrameRef::make(Opcode::ping, {})) {
  PORTERO_ASSERT(worker < hub.worker_count());
  hub_.attach(worker_, &waker_);
  waker_.wake();  // for what was sent before
}

HubShard::~HubShard() {
  PORTERO_ASSERT(sockets_.size() == 0);
  hub_.attach(worker_, nullptr);
}

const App* HubShard::find_app_by_key(std::string_view key) const {
  const AppState* const state = apps_.find_by_key(key);
  return state != nullptr ? &state->app : nullptr;
}

const App* HubShard::find_app_by_id(std::string_view id) const {
  const AppState* const state = apps_.find_by_id(id);
  return state != nullptr ? &state->app : nullptr;
}

void HubShard::adopt(std::shared_ptr<const conf::Hub> settings) {
  PORTERO_ASSERT(settings != nullptr);
  if (!apps_.adopt(*settings)) return;
  sockets_.for_each([this](Socket& socket) {
    if (socket.app == nullptr || socket.app->active) return;
    fail(socket, PusherCode::unknown_app, "The app has been removed from the configuration");
  });
}

void HubShard::publish(const Publish& publish) {
  AppState* const app = apps_.find_by_id(publish.app_id);
  if (app == nullptr) return;
  const SocketId except = SocketId::parse(publish.except_socket_id);
  for (const std::string& channel : publish.channels) {
    publish_frame(*app, frames::event(channel, publish.event, publish.data), except);
  }
}

void HubShard::publish_frame(AppState& app, FrameRef frame, SocketId except) {
  const std::uint32_t home = hub_.home_of(app.number, frame->channel());
  Publication publication{app.number, std::move(frame), except};
  if (home == self()) return handle(publication);
  post(home, std::move(publication));
}

void HubShard::on_mail() {
  hub_.mailbox(worker_).take(mail_);
  for (HubMessage& message : mail_) {
    std::visit([this](auto& kind) { handle(kind); }, message);
  }
  mail_.clear();
  if (mail_.capacity() > mail_kept_max) mail_.shrink_to_fit();  // a burst is not kept for ever
  for (const SocketRef& ref : read_on_) {
    if (Socket* const socket = sockets_.find(ref)) socket->stream().readable().signal();
  }
  read_on_.clear();
}

void HubShard::read_on_next_turn(Socket& socket) {
  read_on_.push_back(socket.ref);
  waker_.wake();
}

void HubShard::post(std::uint32_t worker, HubMessage message) {
  PORTERO_ASSERT(worker != self());
  hub_.mailbox(worker).send(std::move(message));
}

}  // namespace portero::hub
