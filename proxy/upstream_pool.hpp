// UpstreamPool: the connections of one worker to one upstream. Idle ones are kept and used again,
// the latest first, so that few stay open when little is to do. The pool outlives configurations:
// handlers, leases and the PoolSet share it.
// Thread: the worker's. Limits: idle_connections_max idle, settings.max_concurrent in use.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include <boost/smart_ptr/intrusive_ptr.hpp>
#include <boost/smart_ptr/intrusive_ref_counter.hpp>

#include "base/buffer.hpp"
#include "base/timer_wheel.hpp"
#include "net/tls_stream.hpp"
#include "proxy/upstream.hpp"
#include "proxy/upstream_state.hpp"
#include "proxy/waiting_line.hpp"

namespace portero::proxy {

// Who asks for a place where max_concurrent is set.
enum class Turn : std::uint8_t {
  newcomer,  // comes after all that wait, at any worker
  waiting,   // the first in this pool's line, comes when it has its turn
};

class UpstreamPool;
using PoolRef = boost::intrusive_ptr<UpstreamPool>;

struct UpstreamConnection {
  std::unique_ptr<net::ByteStream> stream;
  net::TcpStream* tcp = nullptr;  // the stream, or what lies under it
  net::SocketAddress address;
  Buffer input;               // read, not parsed yet; empty while idle
  Buffer output;              // encoded, not sent yet; empty while idle
  std::uint64_t answers = 0;  // received over this connection so far
  std::int64_t idle_since_ms = 0;

  // Whether the upstream has closed it or said something unasked. `ask_kernel` also sees what the
  // loop has not reported yet, for one system call.
  bool is_stale(bool ask_kernel);
};

// A connection in use. Its end gives the connection back or closes it.
class Lease {
 public:
  explicit Lease(PoolRef pool) noexcept;  // without a connection: counts one that is being made
  Lease(Lease&&) noexcept = default;
  Lease& operator=(Lease&&) = delete;
  ~Lease();

  UpstreamConnection& connection() noexcept { return *connection_; }
  UpstreamPool& pool() noexcept { return *pool_; }
  // Its end shall give the connection back: the answer was read to its end, nothing is under way.
  void keep() noexcept { keep_ = true; }

 private:
  friend class UpstreamPool;
  PoolRef pool_;
  std::unique_ptr<UpstreamConnection> connection_;
  bool keep_ = false;
  bool is_counted_ = false;  // in what all workers have in use
  bool has_failed_ = false;  // nothing came of it, so nothing becomes free at its end
};

class UpstreamPool
    : public boost::intrusive_ref_counter<UpstreamPool, boost::thread_unsafe_counter> {
 public:
  // Errors: a sentence for people when the CA file cannot be used.
  // `state`: what other workers know of the same upstream; nullptr: there are none.
  static Explained<PoolRef> create(net::Loop& loop, UpstreamSettings settings,
                                   UpstreamStatePointer state = nullptr);
  UpstreamPool(const UpstreamPool&) = delete;
  UpstreamPool& operator=(const UpstreamPool&) = delete;

  // An idle connection, or nothing. `ask_kernel`: for requests that must not meet a dead one.
  std::optional<Lease> take_idle(bool ask_kernel, Turn turn = Turn::newcomer);
  // A new connection; every address is tried, starting with another one each time.
  // Errors: name_not_found (no address yet), upstream_pool_full, connection_refused,
  //   host_unreachable, timeout_connect, too_many_descriptors, tls_certificate, tls_handshake, …
  // Units: the timeout is for each address. Limits: connect_tries_max addresses.
  // `prelude` is sent before anything else, TLS included.
  Task<Result<Lease>> connect(Milliseconds timeout, Bytes prelude = {}, Turn turn = Turn::newcomer);
  // The same without a place for a request: of a connection that many share. Errors: as connect.
  Task<Result<std::unique_ptr<UpstreamConnection>>> dial(Milliseconds timeout, Bytes prelude = {});
  // A place for a request over such a connection; nothing when max_concurrent are in use.
  std::optional<Lease> reserve(Turn turn = Turn::newcomer);

  // Replaces what a name resolves to; idle connections to other addresses are closed. Does nothing
  // for a literal address.
  void set_addresses(const std::vector<net::SocketAddress>& addresses);
  // Takes over limits from a new configuration.
  void set_limits(Milliseconds idle, unsigned max_concurrent) noexcept;
  void close_idle() noexcept { idle_.clear(); }
  // The one that was idle for the longest time.
  void close_one_idle() noexcept {
    if (!idle_.empty()) idle_.erase(idle_.begin());
  }

  const UpstreamSettings& settings() const noexcept { return settings_; }
  const std::string& host_field() const noexcept { return host_field_; }
  net::Loop& loop() const noexcept { return loop_; }
  unsigned in_use() const noexcept { return in_use_; }
  bool has_address() const noexcept { return !addresses_.empty(); }
  std::size_t idle_count() const noexcept { return idle_.size(); }
  // Whether there is no place: all are in use, or others wait for them and come before.
  bool is_full(Turn turn = Turn::newcomer) const noexcept;
  // Whether it is in health, for people; told by the balancers.
  bool is_fit() const noexcept {
    return health_ == nullptr || health_->is_fit(coarse_clock().monotonic_ms);
  }
  void set_health(UpstreamStatePointer health) noexcept { health_ = std::move(health); }
  // Who waits for a connection; see upstream_queue.
  WaitingLine& line() noexcept { return line_; }
  const WaitingLine& line() const noexcept { return line_; }
  SharedLine::Ticket take_ticket() noexcept { return state_->line.take_ticket(); }
  // A request has begun, or ended, to wait in line().
  void note_waiting(bool begins) noexcept;
  // Something has become free: tells the first that waits, at whatever worker.
  void call_next() noexcept;
  // Passes on what other workers have called since the last time.
  void on_mail() noexcept;
  // A request on a new connection begins, or ends, to be one that no process has taken up. Kept
  // connections may occupy all of them, and requests that came later would go on to have them.
  void note_stuck(bool begins) noexcept;
  // Such a request claims a process: one kept connection, here or at another worker, is closed now
  // or when its request is done.
  void claim_process() noexcept;
  // Kept connections have held requests up: for a minute new ones claim at once.
  void note_few_processes() noexcept;
  bool has_few_processes() const noexcept {
    return coarse_clock().monotonic_ms < state_->few_until_ms.load(std::memory_order_relaxed);
  }
  // Tells the log, once a minute, that such requests wait for long.
  void warn_of_stuck();
  // The last attempt to connect failed, a moment ago: others are tried first.
  bool failed_lately() const noexcept;

 private:
  friend class Lease;
  struct Address {
    net::SocketAddress where;
    std::int64_t avoid_until_ms = 0;
  };
  using Connection = std::unique_ptr<UpstreamConnection>;

  UpstreamPool(net::Loop& loop, UpstreamSettings settings, std::unique_ptr<net::ClientContext> tls,
               UpstreamStatePointer state);
  bool count_in(Lease& lease) noexcept;
  bool take_claim() noexcept;
  void serve_claims() noexcept;
  void end_use(Lease& lease);
  Task<Result<Connection>> connect_to(net::SocketAddress address, Milliseconds timeout,
                                      Bytes prelude);
  std::size_t first_address() noexcept;
  Milliseconds sweep_period() const noexcept;
  static void sweep(void* self);
  void close_surplus();

  static constexpr std::size_t connect_tries_max = 4;

  net::Loop& loop_;
  UpstreamSettings settings_;
  const std::string host_field_;
  std::unique_ptr<net::ClientContext> tls_;
  bool is_literal_ = false;
  std::vector<Address> addresses_;
  std::size_t next_address_ = 0;
  std::int64_t avoid_until_ms_ = 0;
  std::int64_t warn_after_ms_ = 0;
  std::vector<Connection> idle_;  // the latest last
  unsigned in_use_ = 0;
  unsigned in_use_peak_ = 0;  // since the last sweep
  UpstreamStatePointer state_;
  UpstreamStatePointer health_;
  WaitingLine line_;
  SharedLine::Member member_;  // of state_->line
  Timer sweep_timer_;
};

}  // namespace portero::proxy
