// PasswordDesk: where a worker has passwords checked.
//
// A slow scheme (bcrypt takes a tenth of a second) must hold up neither the worker's other
// connections nor every request of a client that has shown its password before. So slow ones are
// computed by a thread of the desk's, one after the other, and what was right is remembered: a
// keyed hash of the password together with what it was compared with, never the password. A line
// of the file that changes is another thing to be compared with, so nothing has to be dropped.
//
// What waits is bounded: many wrong passwords cost one thread, and from then on requests. Wrong
// ones are not remembered; their number has no bound.
#pragma once

#include <condition_variable>
#include <coroutine>
#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>

#include "admission/user_files.h"
#include "async/scope.h"
#include "async/task.h"
#include "base/lru_cache.h"
#include "base/siphash.h"
#include "io/event_loop.h"
#include "observe/counters.h"

namespace admission {

class PasswordDesk {
 public:
  static constexpr std::size_t kMostRemembered = 4096;
  static constexpr std::size_t kMostWaiting = 64;

  /// Both outlive it.
  PasswordDesk(io::EventLoop& loop, observe::Counters& counters);
  /// Nobody waits for an answer any more. Takes as long as the computation under way.
  ~PasswordDesk();
  PasswordDesk(const PasswordDesk&) = delete;
  PasswordDesk& operator=(const PasswordDesk&) = delete;

  [[nodiscard]] UserFiles& files() noexcept { return files_; }

  /// busy: too many wait already. cancelled: the Scope has stopped.
  enum class Answer : std::uint8_t { right, wrong, busy, cancelled };
  /// `stored` as the file has it. Both live until the task ends.
  [[nodiscard]] async::Task<Answer> check(std::string_view stored, std::string_view password);

 private:
  struct Job;
  class Computation;
  struct HashOfHash {
    std::size_t operator()(const base::Hash128& hash) const noexcept { return hash.low; }
  };
  struct Nothing {};

  [[nodiscard]] base::Hash128 hash_of(std::string_view stored, std::string_view password) const;
  [[nodiscard]] bool push(std::shared_ptr<Job> job);
  void run();

  io::EventLoop& loop_;
  observe::Counters& counters_;
  UserFiles files_;
  const base::SipKey secret_ = base::random_sip_key();
  base::LruCache<base::Hash128, Nothing, HashOfHash> right_{kMostRemembered};

  std::mutex mutex_;  // guards what follows
  std::condition_variable wake_;
  std::deque<std::shared_ptr<Job>> jobs_;  // <= kMostWaiting
  bool ending_ = false;
  std::thread thread_;  // begins with the first slow password
};

}  // namespace admission
