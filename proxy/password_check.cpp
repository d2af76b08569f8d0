#include "proxy/password_check.hpp"

#include "proxy/password_hash.hpp"

namespace portero::proxy {

void PasswordThread::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopped_ = true;
    changed_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

bool PasswordThread::ask(PasswordQuestionPointer question) {
  const std::lock_guard lock(mutex_);
  if (stopped_ || questions_.size() >= questions_max) return false;
  if (!thread_.joinable()) thread_ = std::thread(&PasswordThread::run, this);
  questions_.push_back(std::move(question));
  changed_.notify_one();
  return true;
}

void PasswordThread::run() {
  for (;;) {
    PasswordQuestionPointer question;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopped_ || !questions_.empty(); });
      if (stopped_) return;
      question = std::move(questions_.front());
      questions_.pop_front();
    }
    question->is_right = verify_password(question->password, question->hash);
    PasswordDesk& desk = *question->desk;
    desk.answer(std::move(question));
  }
}

bool PasswordDesk::ask(const PasswordQuestionPointer& question) {
  question->desk = this;
  return thread_.ask(question);
}

void PasswordDesk::on_mail() {
  std::vector<PasswordQuestionPointer> answered;
  while (answered_.take(answered)) {
    for (const PasswordQuestionPointer& question : answered) {
      question->is_answered = true;
      for (WaitPoint* const point : question->waiting) point->signal();
    }
    answered.clear();
  }
}

}  // namespace portero::proxy
