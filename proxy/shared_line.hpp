// SharedLine: whose turn it is among the requests that wait at all workers for a place at one
// upstream: the one that came first. Each worker keeps its own WaitingLine; here stands only the
// first of each.
// Thread: any; one lock, taken only where requests wait. Owner: the UpstreamState.
#pragma once

#include <atomic>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/mailbox.hpp"

namespace portero::proxy {

class SharedLine {
 public:
  using Ticket = std::uint64_t;  // a smaller one came earlier
  static constexpr Ticket nobody = UINT64_MAX;

  // The part of one worker's pool. Thread: the worker's but for what the line does with it.
  class Member {
   public:
    // `worker` is woken when its first has its turn; it outlives this.
    Member(SharedLine& line, Waker& worker);
    ~Member();
    Member(const Member&) = delete;
    Member& operator=(const Member&) = delete;

    // The first that waits at this worker now, or nobody.
    void set_first(Ticket ticket) noexcept;
    // Whether nobody at any worker came before this worker's first.
    bool has_turn() const noexcept;
    // A place is free: tells the worker whose turn it is. Returns whether it is this one, which is
    // not woken then.
    bool call_next() noexcept;
    // Tells all other workers to look again.
    void call_others() noexcept;
    // Whether another worker has called since the last time.
    bool take_call() noexcept { return called_.exchange(false); }

   private:
    friend class SharedLine;
    void call() noexcept;

    SharedLine& line_;
    Waker& worker_;
    Ticket first_ = nobody;
    std::atomic<bool> called_{false};
  };

  Ticket take_ticket() noexcept { return next_.fetch_add(1); }

 private:
  Member* next_member() const noexcept;

  std::atomic<Ticket> next_{0};
  mutable std::mutex mutex_;
  std::vector<Member*> members_;
};

}  // namespace portero::proxy
