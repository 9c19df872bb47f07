#include "admission/password_desk.h"

#include <pthread.h>
#include <string.h>

#include <atomic>
#include <utility>

#include "admission/password.h"
#include "base/check.h"

namespace admission {

using observe::Counter;

// The thread reads the texts and writes `right`; then the loop's message hands it all back.
struct PasswordDesk::Job {
  Job(std::string_view stored_text, std::string_view password_text)
      : stored(stored_text), password(password_text) {}
  Job(const Job&) = delete;
  Job& operator=(const Job&) = delete;
  ~Job() { ::explicit_bzero(password.data(), password.size()); }

  std::string stored;
  std::string password;
  bool right = false;
  std::atomic<bool> abandoned = false;
  Computation* waiting = nullptr;  // the worker's alone; null: nobody waits any more
};

class PasswordDesk::Computation final : public async::Cancellable {
 public:
  Computation(PasswordDesk& desk, std::string_view stored, std::string_view password)
      : desk_(desk), job_(std::make_shared<Job>(stored, password)) {}

  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) {
    async::Scope* const scope = self.promise().scope;
    if (scope != nullptr && !scope->enlist(*this, async::Scope::Waiting::busy)) {
      answer_ = Answer::cancelled;
      return false;
    }
    handle_ = self;
    job_->waiting = this;
    if (desk_.push(job_)) return true;
    job_->waiting = nullptr;
    Cancellable::unlink();
    answer_ = Answer::busy;
    return false;
  }
  [[nodiscard]] Answer await_resume() const noexcept { return answer_; }

  void finish(bool right) noexcept {
    answer_ = right ? Answer::right : Answer::wrong;
    Cancellable::unlink();
    desk_.loop_.executor().post(handle_);
  }
  void cancel() noexcept override {
    job_->waiting = nullptr;
    job_->abandoned.store(true, std::memory_order_relaxed);
    answer_ = Answer::cancelled;
    desk_.loop_.executor().post(handle_);
  }

 private:
  PasswordDesk& desk_;
  std::shared_ptr<Job> job_;
  std::coroutine_handle<> handle_;
  Answer answer_ = Answer::cancelled;
};

PasswordDesk::PasswordDesk(io::EventLoop& loop, observe::Counters& counters)
    : loop_(loop), counters_(counters) {}

PasswordDesk::~PasswordDesk() {
  {
    const std::scoped_lock lock(mutex_);
    ending_ = true;
  }
  wake_.notify_all();
  if (thread_.joinable()) thread_.join();
}

base::Hash128 PasswordDesk::hash_of(std::string_view stored, std::string_view password) const {
  std::string both;
  both.reserve(stored.size() + 1 + password.size());
  both.append(stored).append(1, '\n').append(password);  // no line has a line break in it
  const base::Hash128 hash = base::siphash128(secret_, both);
  ::explicit_bzero(both.data(), both.size());
  return hash;
}

async::Task<PasswordDesk::Answer> PasswordDesk::check(std::string_view stored,
                                                      std::string_view password) {
  if (is_quick(stored)) {
    counters_.add(Counter::passwords_computed);
    co_return matches_password(stored, password) ? Answer::right : Answer::wrong;
  }
  const base::Hash128 hash = hash_of(stored, password);
  if (right_.find(hash) != nullptr) {
    counters_.add(Counter::passwords_found);
    co_return Answer::right;
  }
  const Answer answer = co_await Computation(*this, stored, password);
  if (answer == Answer::busy) counters_.add(Counter::limit_password_queue);
  if (answer == Answer::right) right_.put(hash, {});
  co_return answer;
}

bool PasswordDesk::push(std::shared_ptr<Job> job) {
  {
    const std::scoped_lock lock(mutex_);
    std::erase_if(jobs_,
                  [](const auto& each) { return each->abandoned.load(std::memory_order_relaxed); });
    if (jobs_.size() >= kMostWaiting) return false;
    jobs_.push_back(std::move(job));
    if (!thread_.joinable()) thread_ = std::thread([this] { run(); });
  }
  counters_.add(Counter::passwords_computed);
  wake_.notify_one();
  return true;
}

void PasswordDesk::run() {
  ::pthread_setname_np(::pthread_self(), "passwords");
  std::unique_lock lock(mutex_);
  for (;;) {
    wake_.wait(lock, [this] { return ending_ || !jobs_.empty(); });
    if (ending_) return;
    std::shared_ptr<Job> job = std::move(jobs_.front());
    jobs_.pop_front();
    lock.unlock();
    if (!job->abandoned.load(std::memory_order_relaxed)) {
      job->right = matches_password(job->stored, job->password);
      loop_.post([job = std::move(job)] {
        if (job->waiting != nullptr) std::exchange(job->waiting, nullptr)->finish(job->right);
      });
    }
    lock.lock();
  }
}

}  // namespace admission
