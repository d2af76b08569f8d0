#include "worker.hpp"

#include <signal.h>

#include <algorithm>
#include <stdexcept>
#include <utility>

#include <boost/smart_ptr/make_local_shared.hpp>

#include "base/log.hpp"
#include "http/h1_connection.hpp"
#include "http/h2_connection.hpp"
#include "net/proxy_header.hpp"
#include "net/tls_stream.hpp"
#include "proxy/health_check.hpp"
#include "site_service.hpp"

namespace portero {
namespace {

constexpr Milliseconds handshake_time_max{10'000};
// What has not become a request so long after the stop began (a handshake, a head) will not.
constexpr Milliseconds newcomer_time_max{1'000};
// After the grace period everything is cut; this bounds how long the loop then still runs.
constexpr Milliseconds cut_time_max{2'000};
constexpr Milliseconds check_time_max{2'000};  // of a health check, when all else has ended
constexpr int turn_ms_max = 1'000;

std::vector<std::string> alpn_protocols(const conf::Config& config) {
  if (config.http2) return {"h2", "http/1.1"};
  return {"http/1.1"};
}

// The address that the client has connected to; `bind` may be a wildcard.
IpAddress local_address(const Fd& socket) {
  net::SocketAddress local;
  local.length = sizeof local.storage;
  auto* const name = reinterpret_cast<sockaddr*>(&local.storage);
  if (::getsockname(socket.get(), name, &local.length) != 0) return {};
  return local.ip();
}

// splice(2) has no MSG_NOSIGNAL. Blocked here alone, so that programs that are started keep theirs.
void block_pipe_signal() noexcept {
  sigset_t signals;
  ::sigemptyset(&signals);
  ::sigaddset(&signals, SIGPIPE);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

std::vector<IpNetwork> networks(const std::vector<std::string>& texts) {
  std::vector<IpNetwork> out;
  for (const std::string& text : texts) {
    if (const std::optional<IpNetwork> network = IpNetwork::parse(text)) out.push_back(*network);
  }
  return out;
}

http::Timeouts http_timeouts(const conf::Timeouts& timeouts) {
  return {timeouts.header, timeouts.body, timeouts.idle, timeouts.write};
}

}  // namespace

// Counts a connection and makes its stream reachable for draining; lives in the frame of whoever
// runs the stream.
struct Worker::LiveStream {
  LiveStream(Worker& owner, net::ByteStream& the_stream) : worker(owner), stream(the_stream) {
    next = worker.live_;
    if (next != nullptr) next->previous = this;
    worker.live_ = this;
  }
  ~LiveStream() {
    (previous != nullptr ? previous->next : worker.live_) = next;
    if (next != nullptr) next->previous = previous;
  }
  LiveStream(const LiveStream&) = delete;
  LiveStream& operator=(const LiveStream&) = delete;

  Worker& worker;
  net::ByteStream& stream;
  const http::H1Context* h1 = nullptr;  // set while the stream speaks HTTP/1
  bool http2 = false;
  bool handshaking = false;
  LiveStream* previous = nullptr;
  LiveStream* next = nullptr;
};

// What is left of a connection when HTTP is done with it.
struct Worker::HttpOutcome {
  std::unique_ptr<net::ByteStream> stream;
  std::unique_ptr<http::Session> session;  // nullptr: close
  std::string early;
};

struct Worker::Arrival {
  Fd socket;
  net::SocketAddress peer;
  std::uint16_t port;
  ListenerKind kind;
};

class Worker::ActiveListener final : private net::AcceptSink {
 public:
  ActiveListener(Worker& worker, ListenerSpec spec, Fd socket)
      : worker_(worker),
        spec_(std::move(spec)),
        listener_(worker.loop_, std::move(socket), *this) {}

  const ListenerSpec& spec() const noexcept { return spec_; }
  void stop() { listener_.stop(); }

 private:
  void on_accept(Fd socket, const net::SocketAddress& peer) override {
    spawn(worker_.run_connection({std::move(socket), peer, spec_.port, spec_.kind}));
  }

  Worker& worker_;
  ListenerSpec spec_;
  net::Listener listener_;
};

Worker::Worker(std::size_t index, hub::Hub& hub, SharedParts& shared, OnDemandGate::Ask ask)
    : index_(index),
      calls_(loop_),
      shard_(hub, index, loop_, loop_.timers()),
      passwords_(shared.passwords, loop_),
      limits_(shared.rates, shared.connections),
      name_gate_(std::move(ask)),
      context_{loop_, shard_,       proxy::PoolSet(loop_, {&shared.upstreams, {}, index == 0}),
               {},    shared.rates, passwords_},
      site_service_(make_site_service(*this)),
      hub_service_(make_hub_service(*this)),
      newcomer_timer_([](void* self) { static_cast<Worker*>(self)->cut_newcomers(); }, this),
      drain_timer_([](void* self) { static_cast<Worker*>(self)->cut_connections(); }, this) {
  loop_.set_on_wake([](void* self) { static_cast<Worker*>(self)->on_wake(); }, this);
}

Worker::~Worker() { join(); }

void Worker::start() { thread_ = std::thread(&Worker::run_thread, this); }

void Worker::join() {
  if (thread_.joinable()) thread_.join();
}

void Worker::post(Call call) { calls_.send(std::move(call)); }

void Worker::run_thread() {
  block_pipe_signal();
  while (!draining_ || live_ != nullptr) loop_.run_once(turn_ms_max);
  // Per-worker objects belong to this thread: their timers, pools and frames end here.
  listeners_.clear();
  snapshot_.reset();
  const std::int64_t until_ms = coarse_clock().monotonic_ms + check_time_max.count();
  do {
    loop_.run_once(proxy::HealthCheck::running() == 0 ? 0 : 10);
  } while (proxy::HealthCheck::running() != 0 && coarse_clock().monotonic_ms < until_ms);
  context_.pools.clear();
  tls_.reset();
  loop_.run_once(0);
  finished_.store(true);
}

void Worker::on_wake() {
  std::vector<Call> calls;
  while (calls_.take(calls)) {
    for (const Call& call : calls) call(*this);
    calls.clear();
  }
  passwords_.on_mail();
  context_.pools.on_mail();
  shard_.on_mail();
}

void Worker::adopt(std::shared_ptr<const Generation> generation, std::vector<BoundListener> added) {
  generation_ = std::move(generation);
  const conf::Config& config = *generation_->config;
  timeouts_ = http_timeouts(config.timeouts);
  tls_->set_protocols(alpn_protocols(config));
  tls_->set_certificates(generation_->certificates);
  limits_.adopt(config);
  tls_->set_guard(limits_.empty() ? nullptr : &limits_);
  shard_.adopt(std::shared_ptr<const conf::Hub>(generation_->config, &config.hub));
  context_.pools.configure(generation_->cookie_key, config.storage);
  balancers_ = networks(config.proxy_protocol);
  adopt_routes();

  const auto wanted = [&](const ListenerSpec& spec) {
    return std::binary_search(generation_->listeners.begin(), generation_->listeners.end(), spec);
  };
  std::erase_if(listeners_, [&](const std::unique_ptr<ActiveListener>& active) {
    if (wanted(active->spec())) return false;
    active->stop();
    return true;
  });
  for (BoundListener& bound : added) {
    listeners_.push_back(
        std::make_unique<ActiveListener>(*this, bound.spec, std::move(bound.socket)));
  }
}

// It was rehearsed, so only a file that has changed since can make it fail: those who are connected
// must not pay for it.
void Worker::adopt_routes() {
  try {
    snapshot_ = boost::make_local_shared<Snapshot>(generation_, context_);
  } catch (const std::runtime_error& failed) {
    if (snapshot_ == nullptr) throw;
    log::error("worker.routes_kept", log::kv("error", failed.what()),
               log::kv("text", "a file has changed while it was read; reload again"));
  }
  context_.pools.drop_unused();
}

void Worker::set_certificates(std::shared_ptr<const net::CertificateStore> certificates) {
  tls_->set_certificates(std::move(certificates));
}

void Worker::set_challenges(std::shared_ptr<const acme::ChallengeAnswers> answers) {
  tls_->set_challenges(answers ? answers->tls : nullptr);
  challenges_ = std::move(answers);
}

void Worker::set_ticket_keys(std::shared_ptr<const net::TicketKeys> keys) {
  if (tls_) {
    tls_->set_ticket_keys(std::move(keys));
  } else {
    tls_ = std::make_unique<net::ServerContext>(std::move(keys),
                                                std::vector<std::string>{"h2", "http/1.1"});
    tls_->set_name_gate(&name_gate_);
  }
}

void Worker::set_names(std::shared_ptr<const ResolvedNames> names) {
  context_.pools.set_names(*names);
}

std::vector<UpstreamFigures> Worker::upstream_figures() const {
  std::vector<UpstreamFigures> all;
  for (const auto& [key, pool] : context_.pools.pools()) {
    all.push_back({pool->settings().text, pool->in_use(), pool->idle_count(), pool->has_address(),
                   pool->is_fit()});
  }
  return all;
}

Task<> Worker::run_connection(Arrival arrival) {
  figures_.connections.add();
  figures_.connections_total.add();
  std::unique_ptr<ConnectionPass> pass;
  if (!limits_.empty() && arrival.kind != ListenerKind::hub) {
    pass = std::make_unique<ConnectionPass>(limits_, arrival.peer.ip());
  }
  // run_http's frame is gone before a session runs: an idle WebSocket keeps only this small one.
  HttpOutcome outcome = co_await run_http(std::move(arrival), pass.get());
  if (outcome.session) {
    const LiveStream live(*this, *outcome.stream);
    co_await outcome.session->run(std::move(outcome.stream), std::move(outcome.early));
  }
  figures_.connections.sub();
}

bool Worker::comes_from_balancer(const IpAddress& peer) const noexcept {
  return std::any_of(balancers_.begin(), balancers_.end(),
                     [&](const IpNetwork& network) { return network.contains(peer); });
}

Task<std::unique_ptr<net::ByteStream>> Worker::open_stream(Fd socket, ListenerKind kind,
                                                           http::ConnectionInfo& info,
                                                           bool& http2) {
  auto tcp = std::make_unique<net::TcpStream>(loop_, std::move(socket));
  LiveStream live(*this, *tcp);
  live.handshaking = true;
  if (kind != ListenerKind::hub && comes_from_balancer(info.peer)) {
    const Result<std::optional<net::ProxiedPeer>> said =
        co_await net::read_proxy_header(*tcp, loop_.timers(), handshake_time_max);
    if (!said) {
      log::debug("proxy_protocol.refused", log::kv("peer", info.peer.to_string()),
                 log::kv("error", said.error()));
      co_return nullptr;
    }
    if (*said) {
      info.peer = (*said)->address;
      info.peer_port = (*said)->port;
    }
  }
  if (kind != ListenerKind::tls) co_return std::move(tcp);
  const net::AcceptOptions options{loop_.timers(), handshake_time_max, info.peer};
  Result<std::unique_ptr<net::TlsStream>> accepted =
      co_await net::accept_tls(std::move(tcp), *tls_, options);
  if (!accepted) {
    figures_.handshakes_failed.add();
    co_return nullptr;
  }
  std::unique_ptr<net::TlsStream> tls = std::move(*accepted);
  info.tls = true;
  info.sni = tls->server_name();
  net::TlsStream::ClientIdentity client = tls->client_identity();
  if (!client.fingerprint.empty()) {
    info.client_certificate = std::make_shared<const http::ClientCertificate>(
        http::ClientCertificate{std::move(client.subject), std::move(client.fingerprint)});
  }
  // The handshake was the proof; nothing is sent on it. Source: RFC 8737 §3.
  if (tls->protocol() == net::ServerContext::challenge_protocol) co_return nullptr;
  http2 = tls->protocol() == "h2";
  co_return std::move(tls);
}

Task<Worker::HttpOutcome> Worker::run_http(Arrival arrival, ConnectionPass* pass) {
  HttpOutcome outcome;
  http::ConnectionInfo info;
  info.peer = arrival.peer.ip();
  info.peer_port = arrival.peer.port();
  info.local = local_address(arrival.socket);
  info.local_port = arrival.port;
  info.id = next_connection_id_++;
  info.guard = pass;
  bool http2 = false;
  outcome.stream = co_await open_stream(std::move(arrival.socket), arrival.kind, info, http2);
  if (!outcome.stream) co_return outcome;
  if (pass != nullptr) pass->set_client(info.peer);
  if (pass != nullptr && info.tls && !pass->admits(info.sni) && pass->is_hopeless()) {
    outcome.stream.reset();
    co_return outcome;
  }
  LiveStream live(*this, *outcome.stream);
  http::Service& service = arrival.kind == ListenerKind::hub ? *hub_service_ : *site_service_;
  Buffer input;
  if (http2) {
    live.http2 = true;
    http::H2Context h2{*outcome.stream, loop_.timers(), info, service, timeouts_};
    co_await http::serve_h2(h2, input);
    co_return outcome;
  }
  http::H1Context h1{*outcome.stream, loop_.timers(), info, service, timeouts_};
  live.h1 = &h1;
  outcome.session = co_await http::serve_h1(h1, input);
  outcome.early = input.readable();
  co_return outcome;
}

void Worker::begin_drain(Milliseconds grace) {
  if (draining_) return;
  draining_ = true;
  for (const std::unique_ptr<ActiveListener>& active : listeners_) active->stop();
  listeners_.clear();
  // Sockets leave within the first four fifths of the grace period, so that the last close frames
  // are on their way before the rest is cut.
  shard_.begin_drain(grace * 4 / 5);
  announce_drain();
  newcomer_timer_.arm(loop_.timers(), newcomer_time_max);
  drain_timer_.arm(loop_.timers(), grace);
}

void Worker::announce_drain() {
  for (LiveStream* live = live_; live != nullptr; live = live->next) {
    if (live->http2) live->stream.readable().signal();
    if (live->h1 != nullptr && live->h1->idle) live->stream.cancel(Errc::cancelled);
  }
}

void Worker::cut_newcomers() {
  for (LiveStream* live = live_; live != nullptr; live = live->next) {
    const bool waits = live->h1 != nullptr && (live->h1->idle || live->h1->reading_head);
    if (live->handshaking || waits) live->stream.cancel(Errc::cancelled);
  }
}

void Worker::cut_connections() {
  for (LiveStream* live = live_; live != nullptr; live = live->next) {
    live->stream.cancel(Errc::cancelled);
  }
  shard_.abort_all();  // API calls may wait for workers that have ended
  if (live_ != nullptr) drain_timer_.arm(loop_.timers(), cut_time_max);
}

}  // namespace portero
