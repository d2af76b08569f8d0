// Ends what the ACME threads wait for: pauses at once, requests by the flag that CurlClient
// watches. Thread: any. Owner: the ACME service; outlives its threads.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace portero::acme {

// Thrown by StopSignal::pause() on its way out of an order.
struct Stopped {};

class StopSignal {
 public:
  void stop() {
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      flag_ = true;
    }
    changed_.notify_all();
  }
  const std::atomic<bool>& flag() const noexcept { return flag_; }

  // Waits; throws Stopped when the service ends meanwhile.
  void pause(std::chrono::milliseconds time) {
    std::unique_lock<std::mutex> lock(mutex_);
    if (changed_.wait_for(lock, time, [this] { return flag_.load(); })) throw Stopped{};
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::atomic<bool> flag_{false};
};

}  // namespace portero::acme
