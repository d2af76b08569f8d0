#include "proxy/health_check.hpp"

#include <boost/smart_ptr/make_local_shared.hpp>

#include "base/log.hpp"
#include "proxy/h2_upstream.hpp"
#include "proxy/proxy_header.hpp"

namespace portero::proxy {
namespace {

constexpr int first_bad_status = 400;

// A GET of portero's own; of its answer only the status counts.
class Probe final : public http::Exchange {
 public:
  Probe(const http::ConnectionInfo& nobody, std::string_view path) : Exchange(nobody) {
    request.method_text = "GET";
    request.scheme = "http";
    request.target = path;
    request.path = path;
    request.client_ip = nobody.peer;
    request.headers.add("User-Agent", "portero (health)", http::FieldId::user_agent);
  }
  int status = 0;

  Task<Result<Bytes>> read_body() override { co_return Bytes(); }
  Task<Result<>> send_interim(http::Response&) override { co_return Result<>(); }
  void reset(Errc) noexcept override { status = 0; }
  bool client_gone() const noexcept override { return false; }

 private:
  Task<Result<>> write_head(http::Response& response) override {
    status = response.status;
    co_return Result<>();
  }
  Task<Result<>> write_body(Bytes, http::Last) override { co_return Result<>(); }
};

thread_local unsigned running_checks = 0;

struct Running {
  Running() noexcept { ++running_checks; }
  ~Running() { --running_checks; }
};

}  // namespace

struct HealthCheck::Shared {
  explicit Shared(NextTurn& turn) noexcept : next_turn(turn) {}

  std::string path;
  std::int64_t every_ms = 0;
  PoolRef pool;
  UpstreamStatePointer state;
  NextTurn& next_turn;
  ProxySettings call{};
  bool stopped = false;
  WaitPoint due;
};

HealthCheck::HealthCheck(const conf::Health& settings, PoolRef pool, UpstreamStatePointer state,
                         NextTurn& next_turn)
    : shared_(boost::make_local_shared<Shared>(next_turn)) {
  shared_->path = settings.path;
  shared_->every_ms = settings.every.count();
  shared_->pool = std::move(pool);
  shared_->state = std::move(state);
  shared_->call.connect = settings.timeout;
  shared_->call.response = settings.timeout;
  spawn(run(shared_));
}

unsigned HealthCheck::running() noexcept { return running_checks; }

HealthCheck::~HealthCheck() {
  shared_->stopped = true;
  shared_->due.signal();
}

Task<> HealthCheck::run(SharedPointer shared) {
  const Running running;
  Timer timer([](void* self) { static_cast<WaitPoint*>(self)->signal(); }, &shared->due);
  // The first one at once, but not before the names of upstreams are known.
  timer.arm(shared->pool->loop().timers(), Milliseconds(0));
  for (;;) {
    co_await shared->due;
    if (shared->stopped) co_return;
    const bool is_up = co_await check(*shared);
    if (shared->stopped) co_return;
    UpstreamState& state = *shared->state;
    if (state.is_down.exchange(!is_up) == is_up) {
      if (is_up) state.up_since_ms = coarse_clock().monotonic_ms;
      const std::string& name = shared->pool->settings().text;
      if (is_up) {
        log::info("upstream.up", log::kv("upstream", name), log::kv("path", shared->path));
      } else {
        log::warn("upstream.down", log::kv("upstream", name), log::kv("path", shared->path));
      }
    }
    timer.arm(shared->pool->loop().timers(), Milliseconds(shared->every_ms));
  }
}

Task<bool> HealthCheck::check(Shared& shared) {
  static const http::ConnectionInfo nobody = [] {
    http::ConnectionInfo made;
    made.peer = made.local = *IpAddress::parse("127.0.0.1");
    return made;
  }();
  Probe probe(nobody, shared.path);
  const Result<> asked = shared.pool->settings().http2 ? co_await ask_http2(shared, probe)
                                                       : co_await ask(shared, probe);
  co_return asked&& probe.status != 0 && probe.status < first_bad_status;
}

Task<Result<>> HealthCheck::ask(Shared& shared, http::Exchange& probe) {
  const Bytes prelude = proxy_header(shared.pool->settings().proxy_protocol, probe);
  Result<Lease> lease = co_await shared.pool->connect(shared.call.connect, prelude);
  if (!lease) co_return lease.error();
  ProxyCall call(probe, std::move(*lease), shared.call, {shared.next_turn});
  co_return co_await call.run();
}

Task<Result<>> HealthCheck::ask_http2(Shared& shared, http::Exchange& probe) {
  H2Upstream upstream(shared.pool);
  Result<http::H2ClientPointer> connection = co_await upstream.connection(shared.call.connect);
  if (!connection) co_return connection.error();
  H2Call call(probe, Lease(shared.pool), std::move(*connection), shared.call, {shared.next_turn});
  co_return co_await call.run();
}

}  // namespace portero::proxy
