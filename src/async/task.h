// Task<T>: a lazy coroutine that is awaited once, by one parent, on one thread.
//
//   Task<Result<Head>> read_head(Stream& s);        // nothing runs yet
//   CO_TRY(auto head, co_await read_head(stream));  // runs it to its end, then goes on here
//
// Awaiting transfers control symmetrically: no stack grows, no queue is passed. The child learns
// its parent's Scope, through which leaf operations hear of cancellation. A suspended task is never
// destroyed: it is asked to stop (Scope::request_stop) and runs to its end.
// An exception that leaves a task ends the process: nothing is thrown on the data path.
#pragma once

#include <coroutine>
#include <cstddef>
#include <exception>
#include <optional>
#include <utility>

#include "async/frame_pool.h"
#include "base/check.h"

namespace async {

class Scope;

/// What a leaf awaiter may ask of the coroutine that awaits it.
struct PromiseBase {
  std::coroutine_handle<> continuation;
  Scope* scope = nullptr;

  static void* operator new(std::size_t size) { return allocate_frame(size); }
  static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }

  static std::suspend_always initial_suspend() noexcept { return {}; }
  struct FinalAwaiter {
    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    static std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> self) noexcept {
      return self.promise().continuation;
    }
    static void await_resume() noexcept {}
  };
  static FinalAwaiter final_suspend() noexcept { return {}; }
  [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
};

/// Where a task leaves its result.
template <class T>
struct TaskResult {
  std::optional<T> value;
  template <class U>
  void return_value(U&& result) {
    value.emplace(std::forward<U>(result));
  }
  [[nodiscard]] T take() { return std::move(*value); }
};
template <>
struct TaskResult<void> {
  static void return_void() noexcept {}
  static void take() noexcept {}
};

template <class T>
class [[nodiscard]] Task {
 public:
  struct promise_type : PromiseBase, TaskResult<T> {
    Task get_return_object() noexcept { return Task(Handle::from_promise(*this)); }
  };
  using Handle = std::coroutine_handle<promise_type>;

  Task(Task&& other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Task& operator=(Task&&) = delete;
  ~Task() {
    if (handle_) handle_.destroy();
  }

  struct Awaiter {
    Handle child;
    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) noexcept {
      child.promise().continuation = parent;
      child.promise().scope = parent.promise().scope;
      return child;
    }
    T await_resume() { return child.promise().take(); }
  };
  Awaiter operator co_await() && noexcept { return {handle_}; }

 private:
  explicit Task(Handle handle) noexcept : handle_(handle) {}
  Handle handle_;
};

/// `Scope* scope = co_await current_scope();`
struct CurrentScope {
  Scope* scope = nullptr;
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  template <class Promise>
  bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
    scope = self.promise().scope;
    return false;
  }
  [[nodiscard]] Scope* await_resume() const noexcept { return scope; }
};
[[nodiscard]] inline CurrentScope current_scope() noexcept { return {}; }

}  // namespace async
