#include "base/mailbox.hpp"

#include <condition_variable>
#include <memory>
#include <thread>
#include <vector>

#include <doctest/doctest.h>

using namespace portero;

namespace {

class CountingWaker final : public Waker {
 public:
  void wake() noexcept override { ++count; }
  int count = 0;
};

class BlockingWaker final : public Waker {
 public:
  void wake() noexcept override {
    const std::lock_guard lock(mutex_);
    awake_ = true;
    changed_.notify_one();
  }
  void wait() {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [this] { return awake_; });
    awake_ = false;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool awake_ = false;
};

struct Message {
  int sender;
  int number;
};

}  // namespace

TEST_CASE("mailbox: a burst wakes the receiver once and arrives in order") {
  CountingWaker waker;
  Mailbox<int> box(waker);
  for (int i = 0; i < 10; ++i) box.send(i);
  CHECK(waker.count == 1);
  CHECK(box.depth() == 10);
  std::vector<int> taken;
  CHECK(box.take(taken));
  CHECK(taken == std::vector<int>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9});
  CHECK(box.depth() == 0);
}

TEST_CASE("mailbox: an empty box has nothing to take and the next message wakes again") {
  CountingWaker waker;
  Mailbox<int> box(waker);
  std::vector<int> taken;
  CHECK_FALSE(box.take(taken));
  box.send(1);
  box.take(taken);
  box.send(2);
  CHECK(waker.count == 2);
}

TEST_CASE("mailbox: carries what can only be moved") {
  CountingWaker waker;
  Mailbox<std::unique_ptr<int>> box(waker);
  box.send(std::make_unique<int>(7));
  std::vector<std::unique_ptr<int>> taken;
  box.take(taken);
  CHECK(*taken.at(0) == 7);
}

TEST_CASE("mailbox: loses nothing and keeps each sender's order under concurrency") {
  constexpr int sender_count = 4;
  constexpr int message_count = 5'000;
  BlockingWaker waker;
  Mailbox<Message> box(waker);
  std::vector<std::thread> senders;
  for (int sender = 0; sender < sender_count; ++sender) {
    senders.emplace_back([&box, sender] {
      for (int i = 0; i < message_count; ++i) box.send({sender, i});
    });
  }
  std::vector<int> expected(sender_count, 0);
  bool in_order = true;
  for (int received = 0; received < sender_count * message_count;) {
    waker.wait();
    std::vector<Message> taken;
    box.take(taken);
    received += static_cast<int>(taken.size());
    for (const Message& message : taken) {
      in_order = in_order && message.number == expected[static_cast<std::size_t>(message.sender)]++;
    }
  }
  for (std::thread& sender : senders) sender.join();
  CHECK(in_order);
}
