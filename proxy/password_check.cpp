#include "proxy/password_check.hpp"

#include "net/crypto.hpp"
#include "proxy/password_hash.hpp"

namespace portero::proxy {
namespace {

constexpr std::size_t digest_key_bytes = 32;

}  // namespace

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

PasswordDesk::PasswordDesk(PasswordThread& thread, Waker& worker)
    : thread_(thread), answered_(worker), digest_key_(net::random_bytes(digest_key_bytes)) {}

Task<PasswordVerdict> PasswordDesk::check(std::string_view password, std::string_view hash,
                                          Milliseconds remember_max) {
  std::string text(hash);
  text += '\0';
  text += password;
  const std::string digest = net::hmac_sha256_hex(digest_key_, text);
  if (remembers(digest, remember_max)) co_return PasswordVerdict::right;
  PasswordQuestionPointer& open = open_[digest];
  if (!open) {
    open = std::make_shared<PasswordQuestion>();
    open->password = password;
    open->hash = hash;
    open->desk = this;
    if (!thread_.ask(open)) {
      open_.erase(digest);
      co_return PasswordVerdict::busy;
    }
  }
  const PasswordQuestionPointer question = open;
  WaitPoint answered;
  question->waiting.push_back(&answered);
  while (!question->is_answered) co_await answered;
  open_.erase(digest);
  if (!question->is_right) co_return PasswordVerdict::wrong;
  if (right_since_ms_.size() >= remembered_max) right_since_ms_.clear();
  right_since_ms_[digest] = coarse_clock().monotonic_ms;
  co_return PasswordVerdict::right;
}

bool PasswordDesk::remembers(const std::string& digest, Milliseconds remember_max) const {
  const auto known = right_since_ms_.find(digest);
  return known != right_since_ms_.end() &&
         coarse_clock().monotonic_ms - known->second < remember_max.count();
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
