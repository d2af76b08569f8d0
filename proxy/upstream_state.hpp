// What all workers know of an upstream together: how many connections are in use, and whether it is
// in health. Found by name, so a reload forgets nothing.
// Thread: any; one lock when a configuration is built, atomics afterwards.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "proxy/shared_line.hpp"

namespace portero::proxy {

struct UpstreamState {
  std::atomic<unsigned> in_use{0};            // where max_concurrent is set
  std::atomic<unsigned> waiting{0};           // requests in the lines of all workers
  SharedLine line;                            // which of them comes next
  std::atomic<unsigned> stuck{0};             // requests sent that no process has taken up
  std::atomic<unsigned> claims{0};            // of them those that still want a connection closed
  std::atomic<std::int64_t> few_until_ms{0};  // monotonic; requests were stuck a moment ago
  std::atomic<bool> is_down{false};           // a check has failed
  std::atomic<unsigned> fails{0};             // of requests, in a row
  std::atomic<std::int64_t> out_until_ms{0};  // monotonic; by failed requests
  std::atomic<std::int64_t> up_since_ms{0};   // monotonic; when it came back last, 0 = never away

  bool is_fit(std::int64_t now_ms) const noexcept {
    return !is_down.load(std::memory_order_relaxed) &&
           out_until_ms.load(std::memory_order_relaxed) <= now_ms;
  }
};
using UpstreamStatePointer = std::shared_ptr<UpstreamState>;

class UpstreamStates {
 public:
  // The state of that name, which lasts as long as somebody has it.
  UpstreamStatePointer get(const std::string& name);

 private:
  std::mutex mutex_;  // guards everything below
  std::map<std::string, std::weak_ptr<UpstreamState>> states_;
  std::size_t clear_at_ = 0;
};

// What balancing needs of the process, beside the pools. Lives as long as the worker.
struct BalancingParts {
  UpstreamStates* states = nullptr;   // nullptr: each handler has its own, for tests
  std::string cookie_key;             // signs the cookies of `balance: cookie`
  bool runs_checks = true;            // one worker does, for all
  std::string spool_folder = "/tmp";  // of `buffering`
};

}  // namespace portero::proxy
