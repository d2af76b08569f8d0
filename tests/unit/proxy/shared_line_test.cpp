#include "proxy/shared_line.hpp"

#include <filesystem>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

#include "proxy/fastcgi_client.hpp"
#include "proxy/upstream_queue.hpp"
#include "unit/proxy/fake_exchange.hpp"
#include "unit/proxy/proxy_harness.hpp"

using namespace portero;
using namespace portero::proxy;
using portero::proxy::test::FakeExchange;
using portero::proxy::test::FakeUpstream;

namespace {

struct CountingWaker final : Waker {
  int count = 0;
  void wake() noexcept override { ++count; }
};

// The pools of two workers to one upstream, on one loop, that know of each other.
struct Workers {
  Workers() {
    for (PoolRef& pool : pools) {
      UpstreamSettings settings;
      settings.host = "127.0.0.1";
      settings.port = upstream.port();
      settings.text = settings.name();
      settings.max_concurrent = 1;
      Explained<PoolRef> made = UpstreamPool::create(loop, settings, state);
      REQUIRE(made);
      pool = *made;
    }
    loop.set_on_wake(
        [](void* self) {
          for (const PoolRef& pool : static_cast<Workers*>(self)->pools) pool->on_mail();
        },
        this);
  }
  template <class Condition>
  void run_until(Condition condition) {
    for (int i = 0; i < 2'000 && !condition(); ++i) loop.run_once(1);
  }

  net::Loop loop;
  FakeUpstream upstream;
  UpstreamStatePointer state = std::make_shared<UpstreamState>();
  PoolRef pools[2];
};

struct Request {
  FakeExchange exchange{"GET", "/", "a.example"};
  std::optional<Lease> lease;
  Errc failure = Errc::ok;
};

Task<> wait_for(PoolRef pool, QueueLimits limits, Request& request) {
  Result<Lease> lease =
      co_await wait_for_connection(request.exchange, pool, limits, Connection::any);
  if (lease) {
    request.lease.emplace(std::move(*lease));
  } else {
    request.failure = lease.error().code;
  }
}

Task<> read_one(FastCgiClient& client, bool& ended) {
  (void)co_await client.next();
  ended = true;
}

}  // namespace

TEST_CASE("shared_line: the earliest ticket has its turn, wherever it waits") {
  SharedLine line;
  CountingWaker wakers[2];
  SharedLine::Member first(line, wakers[0]);
  std::optional<SharedLine::Member> second(std::in_place, line, wakers[1]);
  CHECK_FALSE(first.has_turn());
  CHECK_FALSE(first.call_next());
  const SharedLine::Ticket early = line.take_ticket();
  const SharedLine::Ticket late = line.take_ticket();
  first.set_first(late);
  CHECK(first.has_turn());
  CHECK(first.call_next());
  second->set_first(early);
  CHECK_FALSE(first.has_turn());
  CHECK(second->has_turn());
  CHECK_FALSE(first.call_next());
  CHECK_FALSE(first.call_next());
  CHECK(wakers[1].count == 1);  // one call is enough
  CHECK(second->take_call());
  CHECK_FALSE(second->take_call());
  first.call_others();
  CHECK(wakers[1].count == 2);
  CHECK(wakers[0].count == 0);
  second.reset();
  CHECK(first.call_next());
}

TEST_CASE("shared_line: places go to who came first, over all workers, without a wait") {
  Workers workers;
  Request holder;
  spawn(wait_for(workers.pools[0], {}, holder));
  workers.run_until([&] { return holder.lease.has_value(); });
  REQUIRE(holder.lease);
  std::vector<std::unique_ptr<Request>> line;
  for (int i = 0; i < 6; ++i) {
    line.push_back(std::make_unique<Request>());
    spawn(wait_for(workers.pools[i % 2 == 0 ? 1 : 0], {}, *line.back()));
  }
  workers.run_until([] { return false; });
  const std::int64_t began_ms = coarse_clock().monotonic_ms;
  std::optional<Lease>* taken = &holder.lease;
  for (const std::unique_ptr<Request>& next : line) {
    // Nobody overtakes, although a place is free for a moment.
    taken->value().keep();
    taken->reset();
    Request newcomer;
    QueueLimits impatient;
    impatient.wait = Milliseconds(0);
    spawn(wait_for(workers.pools[0], impatient, newcomer));
    workers.run_until([&] { return next->lease && newcomer.failure != Errc::ok; });
    REQUIRE(next->lease);
    CHECK(newcomer.failure == Errc::upstream_pool_full);
    CHECK(workers.state->in_use == 1);
    taken = &next->lease;
  }
  CHECK(coarse_clock().monotonic_ms - began_ms < 90);  // nobody had to look by himself
  taken->reset();
  CHECK(workers.state->in_use == 0);
  CHECK(workers.state->waiting == 0);
}

TEST_CASE("shared_line: who gives up lets the next have the turn") {
  Workers workers;
  Request holder;
  spawn(wait_for(workers.pools[0], {}, holder));
  workers.run_until([&] { return holder.lease.has_value(); });
  Request impatient;
  QueueLimits brief;
  brief.wait = Milliseconds(20);
  spawn(wait_for(workers.pools[1], brief, impatient));
  Request patient;
  spawn(wait_for(workers.pools[0], {}, patient));
  workers.run_until([&] { return impatient.failure != Errc::ok; });
  CHECK(impatient.failure == Errc::upstream_pool_full);
  CHECK_FALSE(patient.lease);
  holder.lease.reset();
  workers.run_until([&] { return patient.lease.has_value(); });
  CHECK(patient.lease);
}

TEST_CASE("upstream_pool: a request that no process takes up has a kept connection closed") {
  Workers workers;
  UpstreamPool& here = *workers.pools[0];
  UpstreamPool& there = *workers.pools[1];
  const auto connect = [&](UpstreamPool& pool) {
    Request made;
    spawn(wait_for(PoolRef(&pool), {}, made));
    workers.run_until([&] { return made.lease.has_value(); });
    REQUIRE(made.lease);
    made.lease->keep();
    return std::move(*made.lease);
  };
  here.claim_process();
  CHECK(workers.state->claims == 0);  // nobody is stuck

  SUBCASE("one that is idle, at once") {
    { const Lease lease = connect(here); }
    CHECK(here.idle_count() == 1);
    here.note_stuck(true);
    here.claim_process();
    CHECK(here.idle_count() == 0);
    here.note_stuck(false);
  }
  SUBCASE("one that another worker keeps") {
    { const Lease lease = connect(there); }
    here.note_stuck(true);
    here.claim_process();
    CHECK(workers.state->claims == 1);
    workers.run_until([&] { return there.idle_count() == 0; });
    CHECK(there.idle_count() == 0);
    here.note_stuck(false);
  }
  SUBCASE("one that is in use, when it is done; one for each") {
    {
      const Lease lease = connect(there);
      here.note_stuck(true);
      here.claim_process();
      here.claim_process();
      CHECK(workers.state->claims == 1);
    }
    CHECK(there.idle_count() == 0);
    { const Lease lease = connect(there); }
    CHECK(there.idle_count() == 1);
    here.note_stuck(false);
  }
  SUBCASE("none when it has been taken up meanwhile") {
    const Lease lease = connect(here);
    there.note_stuck(true);
    there.claim_process();
    CHECK(workers.state->claims == 1);
    there.note_stuck(false);
  }
  CHECK(workers.state->claims == 0);
  CHECK(workers.state->stuck == 0);
}

TEST_CASE("fastcgi_client: where processes were too few a new connection claims one at once") {
  Workers workers;
  UpstreamPool& here = *workers.pools[0];
  UpstreamPool& there = *workers.pools[1];
  for (const bool has_few : {false, true}) {
    CAPTURE(has_few);
    {
      Request kept;
      spawn(wait_for(PoolRef(&there), {}, kept));
      workers.run_until([&] { return kept.lease.has_value(); });
      REQUIRE(kept.lease);
      kept.lease->keep();
    }
    CHECK(there.idle_count() == 1);
    if (has_few) here.note_few_processes();
    Request request;
    spawn(wait_for(PoolRef(&here), {}, request));
    workers.run_until([&] { return request.lease.has_value(); });
    REQUIRE(request.lease);
    {
      const BodySpool body(std::filesystem::temp_directory_path());
      FastCgiClient client(request.lease->connection(), request.exchange, here,
                           Milliseconds(5'000));
      client.begin("", body, false);
      bool ended = false;
      spawn(read_one(client, ended));
      for (int i = 0; i < 5; ++i) workers.loop.run_once(0);
      CHECK(there.idle_count() == (has_few ? 0 : 1));
      client.stop();
      workers.run_until([&] { return ended; });
    }
    CHECK(workers.state->stuck == 0);
  }
}

TEST_CASE("shared_line: many threads wait, call and leave") {
  SharedLine line;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&line] {
      for (int round = 0; round < 200; ++round) {
        CountingWaker waker;
        SharedLine::Member member(line, waker);
        member.set_first(line.take_ticket());
        (void)member.has_turn();
        (void)member.call_next();
        member.call_others();
        (void)member.take_call();
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  CountingWaker waker;
  SharedLine::Member last(line, waker);
  CHECK_FALSE(last.call_next());
}
