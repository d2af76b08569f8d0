// Worker: one thread, one event loop, and everything a connection needs there: listeners, TLS
// contexts, the snapshot of routes and handlers, upstream pools, the hub's shard. Connections never
// change worker; other threads reach it only through post().
// Thread: start(), post(), join(), figures() any; everything else the worker's own.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <thread>
#include <vector>

#include "acme/challenge_board.hpp"
#include "base/mailbox.hpp"
#include "base/metrics.hpp"
#include "connection_limits.hpp"
#include "generation.hpp"
#include "http/handler.hpp"
#include "http/timeouts.hpp"
#include "hub/shard.hpp"
#include "net/listener.hpp"
#include "net/loop.hpp"
#include "net/tls_context.hpp"
#include "on_demand_gate.hpp"
#include "snapshot.hpp"

namespace portero {

// Counters of one worker, read by control for `status`.
struct WorkerFigures {
  Counter connections;        // open now, tunnels and hub sockets included
  Counter connections_total;  // ever accepted
  Counter requests;
  Counter handshakes_failed;
};

// One upstream as one worker sees it.
struct UpstreamFigures {
  std::string address;
  std::size_t in_flight = 0;
  std::size_t idle = 0;
  bool resolved = false;
  bool healthy = true;
};

// What all workers use together.
struct SharedParts {
  proxy::RateTable rates;
  ConnectionTable connections;
  proxy::UpstreamStates upstreams;
  proxy::PasswordThread passwords;
};

// A listening socket of one worker.
struct BoundListener {
  ListenerSpec spec;
  Fd socket;
};

class Worker {
 public:
  using Call = std::function<void(Worker&)>;

  // `ask`: about a name on demand; settle() follows. `shared` outlives it.
  Worker(std::size_t index, hub::Hub& hub, SharedParts& shared, OnDemandGate::Ask ask);
  ~Worker();
  Worker(const Worker&) = delete;
  Worker& operator=(const Worker&) = delete;

  void start();
  void join();
  // Runs `call` on the worker, in the order of the posts.
  void post(Call call);

  // Takes over a generation: new routes and handlers, new certificates, new listeners; listeners it
  // does not name stop accepting. Connections and hub sockets notice nothing.
  void adopt(std::shared_ptr<const Generation> generation, std::vector<BoundListener> added);
  void set_certificates(std::shared_ptr<const net::CertificateStore> certificates);
  // A name on demand has its certificate by now, or will not get one.
  void settle(const std::string& name, bool is_there) { name_gate_.settle(name, is_there); }
  // What certificate authorities are answered; nullptr: nothing.
  void set_challenges(std::shared_ptr<const acme::ChallengeAnswers> answers);
  void set_ticket_keys(std::shared_ptr<const net::TicketKeys> keys);
  void set_names(std::shared_ptr<const ResolvedNames> names);
  // Stops accepting, lets requests finish, closes hub sockets spread over `grace`, then ends the
  // loop; what is left at the end of `grace` is cut.
  void begin_drain(Milliseconds grace);

  // The thread has ended its work; join() will not wait.
  bool finished() const noexcept { return finished_.load(); }
  const WorkerFigures& figures() const noexcept { return figures_; }
  const hub::Stats& hub_figures() const noexcept { return shard_.stats(); }
  const SnapshotPointer& snapshot() const noexcept { return snapshot_; }
  bool draining() const noexcept { return draining_; }
  const acme::ChallengeAnswers* challenges() const noexcept { return challenges_.get(); }
  void count_request() noexcept { figures_.requests.add(); }
  std::vector<UpstreamFigures> upstream_figures() const;
  std::size_t index() const noexcept { return index_; }

 private:
  struct LiveStream;
  struct HttpOutcome;

  class ActiveListener;

  void run_thread();
  void adopt_routes();
  void on_wake();
  struct Arrival;  // a socket and where it came from
  Task<> run_connection(Arrival arrival);
  Task<HttpOutcome> run_http(Arrival arrival, ConnectionPass* pass);
  Task<std::unique_ptr<net::ByteStream>> open_stream(Fd socket, ListenerKind kind,
                                                     http::ConnectionInfo& info, bool& http2);
  bool comes_from_balancer(const IpAddress& peer) const noexcept;
  void announce_drain();
  void cut_newcomers();
  void cut_connections();

  const std::size_t index_;
  net::Loop loop_;
  Mailbox<Call> calls_;
  hub::HubShard shard_;
  proxy::PasswordDesk passwords_;
  ConnectionLimits limits_;
  WorkerFigures figures_;
  http::Timeouts timeouts_;
  std::vector<IpNetwork> balancers_;  // that begin with a PROXY header
  std::shared_ptr<const Generation> generation_;
  OnDemandGate name_gate_;
  std::unique_ptr<net::ServerContext> tls_;
  std::shared_ptr<const acme::ChallengeAnswers> challenges_;
  WorkerContext context_;
  SnapshotPointer snapshot_;
  std::unique_ptr<http::Service> site_service_;
  std::unique_ptr<http::Service> hub_service_;
  std::vector<std::unique_ptr<ActiveListener>> listeners_;
  LiveStream* live_ = nullptr;  // intrusive list of open connections
  std::uint64_t next_connection_id_ = 1;
  bool draining_ = false;
  Timer newcomer_timer_;
  Timer drain_timer_;
  std::atomic<bool> finished_{false};
  std::thread thread_;
};

}  // namespace portero
