// Snapshot: the configuration as one worker runs it: conf::Config turned into routes, handlers,
// upstream pools and hub entrances. The only file that knows every kind of handler.
// An exchange holds a reference from its first step to its last; an old snapshot goes with the last
// exchange that uses it. Hub sockets and tunnels hold none.
// Thread: one worker; references are not atomic.
#pragma once

#include <memory>

#include <boost/smart_ptr/local_shared_ptr.hpp>

#include "base/log.hpp"
#include "generation.hpp"
#include "hub/shard.hpp"
#include "net/loop.hpp"
#include "proxy/open_file.hpp"
#include "proxy/password_check.hpp"
#include "proxy/pool_set.hpp"
#include "proxy/rate_table.hpp"
#include "proxy/router.hpp"

namespace portero {

// What handlers need of their worker; outlives every snapshot.
struct WorkerContext {
  net::Loop& loop;
  hub::HubShard& shard;
  proxy::PoolSet pools;
  proxy::FileCache files{};
  proxy::RateTable& rates;
  proxy::PasswordDesk& passwords;
};

class Snapshot {
 public:
  // Throws std::runtime_error naming the place where a handler cannot be made; rehearse() has told
  // of that before.
  Snapshot(std::shared_ptr<const Generation> generation, WorkerContext& worker);
  ~Snapshot();
  Snapshot(const Snapshot&) = delete;
  Snapshot& operator=(const Snapshot&) = delete;

  // Routes, answers and logs one exchange. Never fails.
  Task<> serve(http::Exchange& exchange);
  // The same for hub.listen, where every request is the hub's.
  Task<> serve_hub(http::Exchange& exchange);

 private:
  Task<> run_handler(http::Exchange& exchange, http::Handler* handler,
                     const proxy::Decision& decision);
  Task<Result<>> answer(http::Exchange& exchange, http::Handler* handler,
                        const proxy::Decision& decision);
  Task<> refuse_method(http::Exchange& exchange);
  void write_access_line(const http::Exchange& exchange, const proxy::Site& site) const;

  std::shared_ptr<const Generation> generation_;
  proxy::Router router_;
  std::unique_ptr<http::Handler> hub_;  // every app, for hub.listen
};

using SnapshotPointer = boost::local_shared_ptr<Snapshot>;

// The router of a configuration, with handlers from `factory`: what a Snapshot has, also for
// `portero explain`, which has no worker. Throws std::runtime_error naming the place.
class SiteParts {
 public:
  virtual ~SiteParts() = default;
  virtual proxy::HandlerFactory& factory() = 0;
  // Gives a site its hub entrance.
  virtual void add_hub(proxy::Site& site, const conf::HubRef& apps) = 0;
};
void fill_router(proxy::Router& router, const conf::Config& config, SiteParts& parts);
// The handlers that serve, at a worker.
std::unique_ptr<SiteParts> worker_parts(WorkerContext& worker, const std::string& storage);

}  // namespace portero
