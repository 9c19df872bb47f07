#include "async/executor.h"

#include <utility>

#include "base/check.h"

namespace async {
namespace {
thread_local Executor* current_executor = nullptr;
}  // namespace

std::size_t Executor::run(std::size_t limit) {
  std::size_t resumed = 0;
  while (!ready_.empty() && resumed < limit) {
    CHECK(running_.empty());  // run() is not called from inside a coroutine
    std::swap(ready_, running_);
    for (const std::coroutine_handle<> handle : running_) handle.resume();
    resumed += running_.size();
    running_.clear();
  }
  return resumed;
}

Executor& Executor::current() noexcept {
  CHECK(current_executor != nullptr);
  return *current_executor;
}

Executor::Use::Use(Executor& executor) noexcept
    : previous_(std::exchange(current_executor, &executor)) {}
Executor::Use::~Use() { current_executor = previous_; }

}  // namespace async
