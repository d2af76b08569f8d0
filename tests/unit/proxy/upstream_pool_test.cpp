#include "proxy/upstream_pool.hpp"

#include <sys/un.h>
#include <unistd.h>

#include <set>
#include <string>

#include <doctest/doctest.h>

#include "proxy/pool_set.hpp"
#include "unit/proxy/proxy_harness.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakePeer;
using portero::proxy::test::FakeUpstream;
using portero::proxy::test::ProxyRig;

namespace {

UpstreamSettings to(std::string host, std::uint16_t port) {
  UpstreamSettings settings;
  settings.host = std::move(host);
  settings.port = port;
  settings.text = settings.name();
  return settings;
}

PoolRef pool_of(net::Loop& loop, UpstreamSettings settings) {
  Explained<PoolRef> made = UpstreamPool::create(loop, std::move(settings));
  REQUIRE(made);
  return *made;
}

struct Connecting {
  std::optional<Lease> lease;
  Error error = Errc::ok;
  bool done = false;
};

Task<> connect(UpstreamPool& pool, Connecting& out) {
  Result<Lease> made = co_await pool.connect(Milliseconds(1'000));
  if (made) {
    out.lease.emplace(std::move(*made));
  } else {
    out.error = made.error();
  }
  out.done = true;
}

void run(net::Loop& loop, UpstreamPool& pool, Connecting& out) {
  spawn(connect(pool, out));
  for (int i = 0; i < 1'000 && !out.done; ++i) loop.run_once(1);
  REQUIRE(out.done);
}

}  // namespace

TEST_CASE("upstream_pool: gives the latest idle connection first and counts what is in use") {
  net::Loop loop;
  FakeUpstream upstream;
  const PoolRef pool = pool_of(loop, to("127.0.0.1", upstream.port()));
  CHECK_FALSE(pool->take_idle(false));
  const UpstreamConnection* second_kept = nullptr;
  {
    Connecting first;
    Connecting second;
    run(loop, *pool, first);
    run(loop, *pool, second);
    CHECK(pool->in_use() == 2);
    first.lease->keep();
    second.lease->keep();
    first.lease.reset();
    second_kept = &second.lease->connection();
  }
  CHECK(pool->in_use() == 0);
  CHECK(pool->idle_count() == 2);
  const std::optional<Lease> again = pool->take_idle(true);
  REQUIRE(again);
  CHECK(&const_cast<Lease&>(*again).connection() == second_kept);
  CHECK(pool->idle_count() == 1);
}

TEST_CASE("upstream_pool: closes what was idle for too long, and what its upstream has closed") {
  net::Loop loop;
  FakeUpstream upstream;
  UpstreamSettings settings = to("127.0.0.1", upstream.port());
  bool closed_by_upstream = false;
  SUBCASE("too long") { settings.idle = Milliseconds(1); }
  SUBCASE("closed") { closed_by_upstream = true; }
  const PoolRef pool = pool_of(loop, settings);
  Connecting one;
  run(loop, *pool, one);
  FakePeer peer = upstream.try_accept();
  REQUIRE(peer.is_open());
  one.lease->keep();
  one.lease.reset();
  CHECK(pool->idle_count() == 1);
  if (closed_by_upstream) peer.close();
  for (int i = 0; i < 2'000 && pool->idle_count() != 0; ++i) loop.run_once(1);
  CHECK(pool->idle_count() == 0);
}

TEST_CASE("upstream_pool: keeps as many as were in use, and closes them when that is over") {
  net::Loop loop;
  FakeUpstream upstream;
  const PoolRef pool = pool_of(loop, to("127.0.0.1", upstream.port()));
  constexpr std::size_t count = idle_connections_min + 2;
  std::vector<FakePeer> peers;
  {
    std::vector<std::unique_ptr<Connecting>> in_use;
    for (std::size_t i = 0; i < count; ++i) {
      in_use.push_back(std::make_unique<Connecting>());
      run(loop, *pool, *in_use.back());
      peers.push_back(upstream.try_accept());
      in_use.back()->lease->keep();
    }
  }
  CHECK(pool->idle_count() == count);
  for (int i = 0; i < 5'000 && pool->idle_count() > idle_connections_min; ++i) loop.run_once(1);
  CHECK(pool->idle_count() == idle_connections_min);
}

TEST_CASE("upstream_pool: tries the other addresses of a name when one refuses") {
  net::Loop loop;
  FakeUpstream upstream;
  FakeUpstream dead;
  const std::uint16_t dead_port = dead.port();
  dead.close();
  const PoolRef pool = pool_of(loop, to("backend", 80));
  const IpAddress loopback = *IpAddress::parse("127.0.0.1");
  const auto good = net::SocketAddress::from_ip(loopback, upstream.port());
  const auto bad = net::SocketAddress::from_ip(loopback, dead_port);
  pool->set_addresses({bad, good});
  for (int i = 0; i < 3; ++i) {
    Connecting one;
    run(loop, *pool, one);
    REQUIRE(one.lease);
    CHECK(one.lease->connection().address.port() == upstream.port());
    one.lease->keep();
  }
  pool->set_addresses({bad});
  CHECK(pool->idle_count() == 0);  // they went to an address that is no longer one of the name
  Connecting refused;
  run(loop, *pool, refused);
  CHECK(refused.error == Errc::connection_refused);
  CHECK(pool->failed_lately());
}

TEST_CASE("upstream_pool: reaches unix sockets, and says when there is none") {
  net::Loop loop;
  const std::string path = "/tmp/portero_pool_test." + std::to_string(::getpid()) + ".sock";
  const Fd listener(::socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0));
  sockaddr_un local{};
  local.sun_family = AF_UNIX;
  path.copy(local.sun_path, sizeof local.sun_path - 1);
  REQUIRE(::bind(listener.get(), reinterpret_cast<sockaddr*>(&local), sizeof local) == 0);
  REQUIRE(::listen(listener.get(), 4) == 0);
  UpstreamSettings settings;
  settings.text = "unix:" + path;
  settings.unix_path = path;
  const PoolRef pool = pool_of(loop, settings);
  Connecting one;
  run(loop, *pool, one);
  CHECK(one.lease);
  ::unlink(path.c_str());
  Connecting two;
  run(loop, *pool, two);
  CHECK(two.error == Errc::connection_refused);
}

TEST_CASE("pool_set: pools with equal identity survive a new configuration") {
  net::Loop loop;
  PoolSet pools(loop);
  const conf::UpstreamAddress address{false, "backend", 80, "", "backend:80"};
  conf::Proxy proxy;
  Explained<PoolRef> first = pools.get(upstream_settings(address, proxy));
  proxy.max_concurrent = 7;
  Explained<PoolRef> second = pools.get(upstream_settings(address, proxy));
  CHECK(first->get() == second->get());
  CHECK((*second)->settings().max_concurrent == 7);
  conf::UpstreamAddress secure = address;
  secure.tls = true;
  proxy.tls.insecure = true;
  Explained<PoolRef> third = pools.get(upstream_settings(secure, proxy));
  REQUIRE(third);
  CHECK(third->get() != first->get());
  third->reset();
  pools.drop_unused();
  CHECK(pools.pools().size() == 1);
  first->reset();
  second->reset();
  pools.drop_unused();
  CHECK(pools.pools().empty());
}

TEST_CASE("pool_set: a pool made later knows the names too") {
  net::Loop loop;
  FakeUpstream upstream;
  PoolSet pools(loop);
  const auto address = net::SocketAddress::from_ip(*IpAddress::parse("127.0.0.1"), upstream.port());
  pools.set_names({{"backend:80", {address}}});
  Explained<PoolRef> pool = pools.get(to("backend", 80));
  REQUIRE(pool);
  Connecting one;
  run(loop, **pool, one);
  CHECK(one.lease);
}

TEST_CASE("upstream: a CA file that cannot be read is refused") {
  net::Loop loop;
  UpstreamSettings settings = to("inner.example", 443);
  settings.tls = true;
  settings.ca_file = "/nonexistent/ca.pem";
  const Explained<PoolRef> made = UpstreamPool::create(loop, settings);
  REQUIRE_FALSE(made);
  CHECK(made.error().find("inner.example:443") != std::string::npos);
}

TEST_CASE("upstream: resolves a name of the system") {
  const std::vector<net::SocketAddress> found = resolve_blocking("localhost", 8080);
  REQUIRE_FALSE(found.empty());
  CHECK(found[0].port() == 8080);
  CHECK(found[0].ip().is_loopback());
  CHECK(resolve_blocking("127.0.0.1", 1).size() == 1);
}
