// HubShard: the hub of one worker. Its sockets, and the channels whose home it is.
//
// Every channel has one home shard, chosen by a keyed hash of (app, channel). The home owns the
// truth: the subscription count, the presence roster and which workers have subscribers; it alone
// orders subscribe, unsubscribe and publish. Every shard keeps, for its own sockets, channel →
// local subscribers. Mailboxes are FIFO, so a socket sees subscription_succeeded before any later
// event. A message to oneself is a plain call: with one worker nothing is ever posted.
//
// Files by role: shard.cpp (settings, mail, publish), shard_channels.cpp (own sockets' channels),
// shard_home.cpp (the truth), shard_sockets.cpp (life of a socket), shard_queries.cpp.
// Thread: its worker alone; stats() any. Owner: the worker; it outlives every socket.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/mailbox.hpp"
#include "base/run_queue.hpp"
#include "base/task.hpp"
#include "base/timer_wheel.hpp"
#include "hub/app_table.hpp"
#include "hub/client_messages.hpp"
#include "hub/hub.hpp"
#include "hub/message.hpp"
#include "hub/shard_api.hpp"
#include "hub/socket_table.hpp"

namespace portero::hub {

class HubShard {
 public:
  // `waker` and `timers` are the worker's loop.
  HubShard(Hub& hub, std::size_t worker, Waker& waker, TimerWheel& timers);
  HubShard(const HubShard&) = delete;
  HubShard& operator=(const HubShard&) = delete;
  ~HubShard();  // no socket may be left

  // --- for the HTTP API and the worker ---------------------------------------------------------

  // nullptr when there is no such app (any more). The pointer stays valid as long as the shard;
  // what it points to is rewritten by adopt(), so take no views of it across a co_await.
  const App* find_app_by_key(std::string_view key) const;
  const App* find_app_by_id(std::string_view id) const;

  // Encodes one frame per channel and sends each to the channel's home. Never waits.
  // Limits: none here; the caller has checked names, counts and sizes.
  void publish(const Publish& publish);
  // The occupied channels whose name starts with `prefix`, from all shards, in no order.
  Task<std::vector<ChannelInfo>> channels(std::string app_id, std::string prefix);
  Task<ChannelInfo> channel(std::string app_id, std::string name);
  // The distinct user ids of a presence channel as JSON values, as the clients gave them: 1, "1".
  Task<std::vector<std::string>> channel_users(std::string app_id, std::string name);
  // Open sockets of the app on all workers.
  Task<std::size_t> connections(std::string app_id);
  // Closes every socket that joined a presence channel as this user; returns how many.
  Task<std::size_t> terminate_user(std::string app_id, std::string user_id);

  // Takes over new settings: apps are matched by id, sockets of vanished apps are closed with 4001,
  // all others notice nothing and live under the new limits.
  void adopt(std::shared_ptr<const conf::Hub> settings);
  // Handles what other workers sent; the worker calls it when it was woken.
  void on_mail();
  // Sends Close 4200 to every socket, spread evenly over `spread`; new ones are refused with 4100.
  // It is over when open_sockets() is 0.
  void begin_drain(Milliseconds spread);
  // Cuts every socket that is left, without a word, and ends queries, also later ones, with what
  // has been answered.
  void abort_all();
  // Sockets here whose session has not ended, greeted or not.
  std::size_t open_sockets() const noexcept { return sockets_.size(); }
  const Stats& stats() const noexcept { return stats_; }

  // --- for the sockets of this worker ----------------------------------------------------------

  AppState* find_app_state(std::string_view key) const { return apps_.find_by_key(key); }
  // Greets a socket whose stream is attached, or refuses it.
  void open(Socket& socket);
  void on_activity(Socket& socket) noexcept;
  void on_message(Socket& socket, Bytes message);
  void send(Socket& socket, FrameRef frame);
  // Says pusher:error and closes with the same code.
  void fail(Socket& socket, PusherCode code, std::string_view message);
  // Sends Close and waits for the client's; leaves all channels at once.
  void close(Socket& socket, unsigned code, std::string_view reason);
  // The client has closed, or is gone: leaves all channels, expects nothing any more.
  void depart(Socket& socket);
  // Forgets a socket that has departed and written what it had.
  void remove(Socket& socket);
  // Signals readable() in the next turn of the loop, for a socket that has had its share of this.
  void read_on_next_turn(Socket& socket);
  // Where every socket reads into; nobody keeps it across a suspension.
  MutableBytes read_buffer() noexcept { return {read_buffer_.get(), read_buffer_bytes}; }
  SendQueue& send_queue() noexcept { return queue_; }

  void subscribe(Socket& socket, std::string_view channel, std::unique_ptr<MemberData> member);
  void unsubscribe(Socket& socket, std::string_view channel);
  // The membership of a socket that has joined (or is joining) a channel, or nullptr.
  const Membership* find_membership(const Socket& socket, std::string_view channel);
  // Sends a frame to the channel's subscribers on all workers, without the socket `except`.
  void publish_frame(AppState& app, FrameRef frame, SocketId except);

  static constexpr std::size_t read_buffer_bytes = 64 * 1024;
  static constexpr std::size_t mail_kept_max = 4'096;     // messages the mail's storage is kept for
  static constexpr std::size_t memberships_max = 10'000;  // per socket
  static constexpr Milliseconds close_wait{5'000};        // for the client's Close after ours
  static constexpr Milliseconds sweep_interval{200};

 private:
  // A question to other shards that a coroutine waits for.
  struct Gathering {
    std::size_t missing = 0;
    Answer sum;
    WaitPoint complete;
  };
  struct Drain {
    bool active = false;
    std::int64_t ends_ms = 0;  // monotonic
    std::size_t next_slot = 0;
  };

  std::uint32_t self() const noexcept { return worker_; }
  void post(std::uint32_t worker, HubMessage message);
  void handle(Join& message);
  void handle(Joined& message);
  void handle(JoinRefused& message);
  void handle(JoinAgain& message);
  void handle(Leave& message);
  void handle(SendTo& message);
  void handle(Publication& message);
  void handle(Delivery& message);
  void handle(AskChannels& message);
  void handle(AskChannel& message);
  void handle(AskUsers& message);
  void handle(TerminateUser& message);
  void handle(Answer& message);

  // Own sockets' channels.
  Membership* find_membership(Socket& socket, Channel& channel);
  void subscribe_again(Socket& socket, Membership& membership);
  void remove_membership(Socket& socket, std::size_t index);
  void leave_all(Socket& socket);
  void deliver(Channel& channel, FrameRef frame, SocketId except);
  void tell_leave(Channel& channel, std::string member_key);

  // The truth.
  void home_leave(Channel& channel, std::uint32_t worker, std::string_view member_key);
  void home_publish(Channel& channel, const FrameRef& frame, SocketId except);

  // Life of a socket.
  Admission admit(Socket& socket);
  void uncount(Socket& socket);
  static void on_overflow(void* self, SocketWriter& socket);
  void close_slow(Socket& socket);
  static void on_sweep(void* self);
  void sweep();
  void check(Socket& socket, Deciseconds now);
  void check_liveness(Socket& socket, Deciseconds now);
  void continue_drain();

  // Queries.
  std::vector<std::uint32_t> all_workers() const;
  void reply(const Asker& asker, Answer answer);
  template <class Question>
  Task<Answer> ask(std::vector<std::uint32_t> workers, Question question);

  Hub& hub_;
  const std::uint32_t worker_;
  Waker& waker_;
  TimerWheel& timers_;
  Stats stats_;
  AppTable apps_;
  SocketTable sockets_;
  SendQueue queue_;
  ClientMessages client_messages_;
  std::unique_ptr<char[]> read_buffer_;
  std::vector<HubMessage> mail_;
  std::vector<SocketRef> read_on_;
  std::unordered_map<std::uint32_t, Gathering*> gatherings_;
  bool aborted_ = false;
  std::uint32_t next_ticket_ = 1;
  Timer sweep_timer_;
  Drain drain_;
  FrameRef ping_frame_;
};

}  // namespace portero::hub
