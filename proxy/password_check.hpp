// Verifies passwords on a thread of its own, so that no connection waits for another's password.
// PasswordThread is one per process; each worker has a PasswordDesk, through which its gates ask
// and get their answers back on their own thread.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/clock.hpp"
#include "base/mailbox.hpp"
#include "base/run_queue.hpp"
#include "base/task.hpp"

namespace portero::proxy {

class PasswordDesk;

// One question. Thread: written by the desk's worker before it is asked and after it is answered.
struct PasswordQuestion {
  std::string password;
  std::string hash;
  PasswordDesk* desk = nullptr;
  bool is_right = false;
  bool is_answered = false;
  std::vector<WaitPoint*> waiting;  // signalled when it is
};
using PasswordQuestionPointer = std::shared_ptr<PasswordQuestion>;

// Thread: ask() any. Limits: questions_max wait.
class PasswordThread {
 public:
  static constexpr std::size_t questions_max = 64;

  PasswordThread() = default;
  PasswordThread(const PasswordThread&) = delete;
  PasswordThread& operator=(const PasswordThread&) = delete;
  ~PasswordThread() { stop(); }
  // Waits for the question that is being answered; the others, and later ones, are forgotten.
  void stop();

  // Whether it will be answered: false when too many wait. The thread starts with the first.
  bool ask(PasswordQuestionPointer question);

 private:
  void run();

  std::mutex mutex_;  // guards everything below
  std::condition_variable changed_;
  std::deque<PasswordQuestionPointer> questions_;
  bool stopped_ = false;
  std::thread thread_;
};

enum class PasswordVerdict : std::uint8_t { right, wrong, busy };

// Right passwords are remembered as a keyed digest, for all routes and over reloads, so that only
// the first request of a visitor pays for the hash; wrong ones are not. Thread: the worker's but
// for answer(). Owner: the worker.
class PasswordDesk {
 public:
  static constexpr std::size_t remembered_max = 4'096;

  PasswordDesk(PasswordThread& thread, Waker& worker);

  // Whether `hash` is that of `password`; busy when too many are being checked. One that was right
  // within `remember_max` is not checked again. Requests with the same question, as a browser sends
  // them side by side, ask once.
  Task<PasswordVerdict> check(std::string_view password, std::string_view hash,
                              Milliseconds remember_max);
  // Called by the PasswordThread.
  void answer(PasswordQuestionPointer question) { answered_.send(std::move(question)); }
  // Takes answers in and wakes who waits for them; called when the worker was woken.
  void on_mail();

 private:
  bool remembers(const std::string& digest, Milliseconds remember_max) const;

  PasswordThread& thread_;
  Mailbox<PasswordQuestionPointer> answered_;
  const std::string digest_key_;
  std::unordered_map<std::string, std::int64_t> right_since_ms_;
  std::unordered_map<std::string, PasswordQuestionPointer> open_;
};

}  // namespace portero::proxy
