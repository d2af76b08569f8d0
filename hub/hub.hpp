// Hub: what the shards of all workers share: their mailboxes, the numbers of the apps and the
// connection counts that limits are checked against. Everything else belongs to one shard.
// Thread: any. Owner: the server; it outlives the shards.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/ip_address.hpp"
#include "base/mailbox.hpp"
#include "hub/app.hpp"
#include "hub/identity.hpp"
#include "hub/message.hpp"

namespace portero::hub {

enum class Admission : std::uint8_t { ok, app_full, address_full };

// The open sockets of one app over all workers.
class AppTotals {
 public:
  // Counts a socket in unless a limit of `app` forbids it. Costs one atomic add, and a lock only
  // for an app with a limit per address.
  Admission enter(const App& app, const IpAddress& address);
  // `by_address`: whether enter() counted the address.
  void leave(const IpAddress& address, bool by_address);
  std::size_t connections() const noexcept { return connections_.load(std::memory_order_relaxed); }

 private:
  std::atomic<std::size_t> connections_{0};
  std::mutex mutex_;
  std::map<IpAddress, std::size_t> by_address_;
};

class Hub {
 public:
  explicit Hub(std::size_t worker_count);
  Hub(const Hub&) = delete;
  Hub& operator=(const Hub&) = delete;

  std::size_t worker_count() const noexcept { return boxes_.size(); }
  Mailbox<HubMessage>& mailbox(std::size_t worker) noexcept { return boxes_[worker]->mailbox; }
  // From now on messages to `worker` wake it; nullptr: nobody. Those sent before lie in its box.
  void attach(std::size_t worker, Waker* waker) noexcept;

  // The same number for the same id, for the life of the process.
  AppNumber number_of(std::string_view app_id);
  AppTotals& totals(AppNumber app);
  // The shard that owns the truth about a channel.
  std::uint32_t home_of(AppNumber app, std::string_view channel) const noexcept;

 private:
  class Relay final : public Waker {
   public:
    void wake() noexcept override;
    void set(Waker* target) noexcept { target_.store(target); }

   private:
    std::atomic<Waker*> target_{nullptr};
  };
  struct Box {
    Relay relay;
    Mailbox<HubMessage> mailbox{relay};
  };

  std::vector<std::unique_ptr<Box>> boxes_;
  std::mutex mutex_;
  std::map<std::string, AppNumber, std::less<>> numbers_;
  std::vector<std::unique_ptr<AppTotals>> totals_;
};

}  // namespace portero::hub
