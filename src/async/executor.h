// Executor: the coroutines of one thread that may go on now. Everything that wakes a coroutine
// posts it here instead of resuming it: no wake-up happens inside somebody else's function, and so
// nothing can be destroyed or changed under a caller's feet. The event loop runs it once a turn.
#pragma once

#include <coroutine>
#include <cstddef>
#include <vector>

namespace async {

class Executor {
 public:
  Executor() = default;
  Executor(const Executor&) = delete;
  Executor& operator=(const Executor&) = delete;

  /// `handle` is resumed by the next run(). It must be suspended, and be posted once.
  void post(std::coroutine_handle<> handle) { ready_.push_back(handle); }

  /// Resumes what is ready, and what that makes ready, up to `limit` resumptions (so that timers
  /// and sockets get their turn too). Returns how many were resumed.
  std::size_t run(std::size_t limit = 4096);

  [[nodiscard]] bool idle() const noexcept { return ready_.empty(); }

  /// The executor of this thread: set by whoever runs it, at most one per thread.
  [[nodiscard]] static Executor& current() noexcept;
  class Use {
   public:
    explicit Use(Executor& executor) noexcept;
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    Executor* previous_;
  };

 private:
  std::vector<std::coroutine_handle<>> ready_;
  std::vector<std::coroutine_handle<>> running_;
};

}  // namespace async
