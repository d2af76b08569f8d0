#include "proxy/upstream_pool.hpp"

#include <poll.h>

#include <algorithm>

#include "base/assert.hpp"
#include "base/log.hpp"

namespace portero::proxy {
namespace {

constexpr Milliseconds sweep_period_max{1'000};
constexpr std::int64_t warn_period_ms = 60'000;
// Processes that FPM has made meanwhile are found out about by then.
constexpr std::int64_t few_processes_ms = 60'000;
constexpr std::int64_t avoid_ms = 2'000;  // how long a failed address or upstream comes last

}  // namespace

// --- one connection ------------------------------------------------------------------------------

bool UpstreamConnection::is_stale(bool ask_kernel) {
  if (ask_kernel) {
    pollfd event{tcp->fd(), POLLIN | POLLRDHUP, 0};
    if (::poll(&event, 1, 0) > 0 && (event.revents & ~POLLIN) != 0) return true;
  }
  // Costs no system call unless the loop has reported something. TLS may have tickets to take in.
  char unasked = 0;
  const Result<std::size_t> got = stream->try_read(MutableBytes(&unasked, 1));
  return got || got.error() != Errc::would_block;
}

// --- Lease ---------------------------------------------------------------------------------------

Lease::Lease(PoolRef pool) noexcept : pool_(std::move(pool)) {
  pool_->in_use_peak_ = std::max(pool_->in_use_peak_, ++pool_->in_use_);
}

Lease::~Lease() {
  if (pool_) pool_->end_use(*this);
}

// --- the pool ------------------------------------------------------------------------------------

Explained<PoolRef> UpstreamPool::create(net::Loop& loop, UpstreamSettings settings,
                                        UpstreamStatePointer state) {
  std::unique_ptr<net::ClientContext> tls;
  if (settings.tls) {
    net::ClientOptions options;
    options.ca_file = settings.ca_file;
    options.insecure = settings.insecure;
    options.certificate_file = settings.certificate_file;
    options.key_file = settings.key_file;
    if (settings.http2) options.protocols = {"h2"};
    Explained<std::unique_ptr<net::ClientContext>> made = net::ClientContext::create(options);
    if (!made) return settings.text + ": " + made.error();
    tls = std::move(*made);
  }
  if (state == nullptr) state = std::make_shared<UpstreamState>();
  return PoolRef(new UpstreamPool(loop, std::move(settings), std::move(tls), std::move(state)));
}

UpstreamPool::UpstreamPool(net::Loop& loop, UpstreamSettings settings,
                           std::unique_ptr<net::ClientContext> tls, UpstreamStatePointer state)
    : loop_(loop),
      settings_(std::move(settings)),
      host_field_(settings_.host_field()),
      tls_(std::move(tls)),
      state_(std::move(state)),
      member_(state_->line, loop_),
      sweep_timer_(&sweep, this) {
  for (const net::SocketAddress& address : literal_addresses(settings_)) {
    addresses_.push_back({address});
    is_literal_ = true;
  }
  idle_.reserve(idle_connections_min);
}

bool UpstreamPool::is_full(Turn turn) const noexcept {
  if (settings_.max_concurrent == 0) return false;
  if (state_->in_use >= settings_.max_concurrent) return true;
  return turn == Turn::newcomer ? state_->waiting != 0 : !member_.has_turn();
}

void UpstreamPool::note_waiting(bool begins) noexcept {
  state_->waiting += begins ? 1U : -1U;
  member_.set_first(line_.first_ticket());
  const bool has_room = settings_.max_concurrent == 0 || state_->in_use < settings_.max_concurrent;
  if (!begins && has_room) call_next();
}

void UpstreamPool::call_next() noexcept {
  const bool is_here = settings_.max_concurrent == 0 || state_->waiting == 0 || member_.call_next();
  if (is_here) line_.call_first();
}

void UpstreamPool::on_mail() noexcept {
  if (!member_.take_call()) return;
  line_.call_first();
  serve_claims();
}

void UpstreamPool::note_stuck(bool begins) noexcept {
  state_->stuck += begins ? 1U : -1U;
  if (!begins && state_->claims > state_->stuck) take_claim();
}

void UpstreamPool::claim_process() noexcept {
  if (state_->claims >= state_->stuck) return;
  // Others that were called for a claim before have nothing idle, or will come to this one too.
  const bool others_know = state_->claims.fetch_add(1) != 0;
  serve_claims();
  if (!others_know && state_->claims != 0) member_.call_others();
}

void UpstreamPool::note_few_processes() noexcept {
  state_->few_until_ms = coarse_clock().monotonic_ms + few_processes_ms;
}

void UpstreamPool::warn_of_stuck() {
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  if (now_ms < warn_after_ms_) return;
  warn_after_ms_ = now_ms + warn_period_ms;
  log::warn("php.full", log::kv("upstream", settings_.text),
            log::kv("waiting", state_->stuck.load()),
            log::kv("text",
                    "requests wait over 1 s for a process of PHP-FPM: raise "
                    "pm.max_children, or look with its slowlog at what takes long"));
}

bool UpstreamPool::take_claim() noexcept {
  unsigned claims = state_->claims;
  while (claims != 0) {
    if (state_->claims.compare_exchange_weak(claims, claims - 1)) return true;
  }
  return false;
}

void UpstreamPool::serve_claims() noexcept {
  while (!idle_.empty() && take_claim()) close_one_idle();
}

std::optional<Lease> UpstreamPool::take_idle(bool ask_kernel, Turn turn) {
  if (is_full(turn)) return std::nullopt;
  while (!idle_.empty()) {
    Connection connection = std::move(idle_.back());
    idle_.pop_back();
    if (connection->is_stale(ask_kernel)) continue;
    Lease lease{PoolRef(this)};
    if (!count_in(lease)) {
      idle_.push_back(std::move(connection));
      return std::nullopt;
    }
    lease.connection_ = std::move(connection);
    return lease;
  }
  return std::nullopt;
}

// Takes one of the places that all workers share; false when there is none.
bool UpstreamPool::count_in(Lease& lease) noexcept {
  if (settings_.max_concurrent == 0) return true;
  unsigned in_use = state_->in_use;
  while (in_use < settings_.max_concurrent && !lease.is_counted_) {
    lease.is_counted_ = state_->in_use.compare_exchange_weak(in_use, in_use + 1);
  }
  lease.has_failed_ = !lease.is_counted_;
  return lease.is_counted_;
}

std::optional<Lease> UpstreamPool::reserve(Turn turn) {
  if (is_full(turn)) return std::nullopt;
  Lease lease{PoolRef(this)};
  if (!count_in(lease)) return std::nullopt;
  return lease;
}

Task<Result<Lease>> UpstreamPool::connect(Milliseconds timeout, Bytes prelude, Turn turn) {
  std::optional<Lease> lease = reserve(turn);
  if (!lease) co_return Errc::upstream_pool_full;
  Result<Connection> connected = co_await dial(timeout, prelude);
  if (!connected) {
    lease->has_failed_ = true;
    co_return connected.error();
  }
  lease->connection_ = std::move(*connected);
  co_return std::move(*lease);
}

Task<Result<UpstreamPool::Connection>> UpstreamPool::dial(Milliseconds timeout, Bytes prelude) {
  const PoolRef self(this);
  Error last = Errc::name_not_found;
  const std::size_t first = first_address();
  const std::size_t tries = std::min(addresses_.size(), connect_tries_max);
  for (std::size_t i = 0; i < tries && !addresses_.empty(); ++i) {
    const std::size_t index = (first + i) % addresses_.size();
    const net::SocketAddress address = addresses_[index].where;
    Result<Connection> connected = co_await connect_to(address, timeout, prelude);
    if (connected) {
      avoid_until_ms_ = 0;
      co_return std::move(*connected);
    }
    last = connected.error();
    log::debug("upstream.connect_failed", log::kv("upstream", settings_.text),
               log::kv("address", address.to_string()), log::kv("error", last));
    for (Address& failed : addresses_) {
      if (!same_address(failed.where, address)) continue;
      failed.avoid_until_ms = coarse_clock().monotonic_ms + avoid_ms;
    }
  }
  avoid_until_ms_ = coarse_clock().monotonic_ms + avoid_ms;
  co_return last;
}

Task<Result<UpstreamPool::Connection>> UpstreamPool::connect_to(net::SocketAddress address,
                                                                Milliseconds timeout,
                                                                Bytes prelude) {
  Result<std::unique_ptr<net::TcpStream>> dialled = co_await net::dial(loop_, address, timeout);
  if (!dialled) co_return dialled.error();
  auto connection = std::make_unique<UpstreamConnection>();
  connection->address = address;
  connection->tcp = dialled->get();
  if (!prelude.empty()) {
    const Result<> sent = co_await net::write_all(**dialled, prelude);
    if (!sent) co_return sent.error();
  }
  if (tls_ == nullptr) {
    connection->stream = std::move(*dialled);
    co_return std::move(connection);
  }
  Result<std::unique_ptr<net::TlsStream>> secured = co_await net::connect_tls(
      std::move(*dialled), *tls_, settings_.server_name, loop_.timers(), timeout);
  if (!secured) co_return secured.error();
  if (settings_.http2 && (*secured)->protocol() != "h2") co_return Errc::tls_protocol;
  connection->tcp = &(*secured)->tcp();
  connection->stream = std::move(*secured);
  co_return std::move(connection);
}

// The next address in turn that has not just failed.
std::size_t UpstreamPool::first_address() noexcept {
  if (addresses_.empty()) return 0;
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  for (std::size_t i = 0; i < addresses_.size(); ++i) {
    const std::size_t index = (next_address_ + i) % addresses_.size();
    if (addresses_[index].avoid_until_ms > now_ms) continue;
    next_address_ = index + 1;
    return index;
  }
  return next_address_++ % addresses_.size();
}

bool UpstreamPool::failed_lately() const noexcept {
  return avoid_until_ms_ > coarse_clock().monotonic_ms;
}

void UpstreamPool::set_addresses(const std::vector<net::SocketAddress>& addresses) {
  if (is_literal_) return;
  addresses_.clear();
  for (const net::SocketAddress& address : addresses) addresses_.push_back({address});
  std::erase_if(idle_, [&](const Connection& connection) {
    return std::none_of(addresses.begin(), addresses.end(), [&](const auto& address) {
      return same_address(address, connection->address);
    });
  });
}

void UpstreamPool::set_limits(Milliseconds idle, unsigned max_concurrent) noexcept {
  settings_.idle = idle;
  settings_.max_concurrent = max_concurrent;
}

void UpstreamPool::end_use(Lease& lease) {
  PORTERO_ASSERT(in_use_ > 0);
  --in_use_;
  if (lease.is_counted_) state_->in_use.fetch_sub(1);
  Connection connection = std::move(lease.connection_);
  const bool keep = lease.keep_ && settings_.proxy_protocol == conf::ProxyProtocol::none;
  // Not for a failed attempt: the first in line may have made it, and would try again at once.
  if (!lease.has_failed_) call_next();
  const bool is_claimed = connection && take_claim();
  if (!keep || is_claimed || idle_.size() >= idle_connections_max) return;
  PORTERO_ASSERT(connection->input.empty() && connection->output.empty());
  connection->input.release();
  connection->output.release();
  connection->idle_since_ms = coarse_clock().monotonic_ms;
  idle_.push_back(std::move(connection));
  if (!sweep_timer_.armed()) sweep_timer_.arm(loop_.timers(), sweep_period());
}

Milliseconds UpstreamPool::sweep_period() const noexcept {
  const bool is_brief = settings_.idle.count() != 0 && settings_.idle < sweep_period_max;
  return is_brief ? settings_.idle : sweep_period_max;
}

// Closes what the upstream has closed, what was idle for too long, and what nobody has needed.
void UpstreamPool::sweep(void* self) {
  auto& pool = *static_cast<UpstreamPool*>(self);
  const std::int64_t now_ms = coarse_clock().monotonic_ms;
  const std::int64_t idle_ms = pool.settings_.idle.count();
  std::erase_if(pool.idle_, [&](const Connection& connection) {
    const bool expired = idle_ms != 0 && now_ms - connection->idle_since_ms >= idle_ms;
    return expired || connection->is_stale(false);
  });
  pool.close_surplus();
  if (!pool.idle_.empty()) pool.sweep_timer_.arm(pool.loop_.timers(), pool.sweep_period());
}

// Half of what is beyond the last period's peak goes in each sweep, the longest unused first.
void UpstreamPool::close_surplus() {
  const std::size_t needed = std::max<std::size_t>(in_use_peak_, idle_connections_min);
  in_use_peak_ = in_use_;
  const std::size_t open = idle_.size() + in_use_;
  if (open <= needed) return;
  const std::size_t surplus = std::min((open - needed + 1) / 2, idle_.size());
  idle_.erase(idle_.begin(), idle_.begin() + static_cast<std::ptrdiff_t>(surplus));
}

}  // namespace portero::proxy
