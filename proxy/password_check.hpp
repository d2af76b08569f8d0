// Verifies passwords on a thread of its own, so that no connection waits for another's password.
// PasswordThread is one per process; each worker has a PasswordDesk, through which its gates ask
// and get their answers back on their own thread.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/mailbox.hpp"
#include "base/run_queue.hpp"

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

// Thread: the worker's but for answer(). Owner: the worker.
class PasswordDesk {
 public:
  PasswordDesk(PasswordThread& thread, Waker& worker) : thread_(thread), answered_(worker) {}

  bool ask(const PasswordQuestionPointer& question);
  // Called by the PasswordThread.
  void answer(PasswordQuestionPointer question) { answered_.send(std::move(question)); }
  // Takes answers in and wakes who waits for them; called when the worker was woken.
  void on_mail();

 private:
  PasswordThread& thread_;
  Mailbox<PasswordQuestionPointer> answered_;
};

}  // namespace portero::proxy
