// Scope: the only way to run tasks side by side. Whoever opens a scope joins it before it ends, so
// no task outlives what it refers to. A connection is a scope, a worker is a scope.
//
//   Scope scope(co_await current_scope());   // stops when its parent is stopped
//   scope.spawn(pump(...));                  // runs until it first suspends
//   ...
//   scope.request_stop();                    // what is pending completes with Error::cancelled
//   co_await scope.join();                   // waits for all; a joined scope can be used again
//
// Two ways to end, both passed down to the scopes inside:
//   request_stop   every pending leaf operation, and every later one, is cancelled;
//   request_drain  only operations that wait in idleness (LeafOperation::idle) are cancelled:
//                  kept-alive connections close, exchanges run to their end.
#pragma once

#include <coroutine>

#include "async/intrusive_list.h"
#include "async/task.h"

namespace async {

/// Something that can be told to give up: a pending leaf operation. `cancel` is called at most once
/// per registration, after unlinking; it posts to the executor and never resumes inline.
class Cancellable : public Link {
 public:
  virtual void cancel() noexcept = 0;

 protected:
  ~Cancellable() = default;
};

class Scope : private Link {
 public:
  explicit Scope(Scope* parent = nullptr) noexcept;
  ~Scope();  // CHECKs that every task has ended
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;

  void spawn(Task<void> task);
  void request_stop() noexcept;
  void request_drain() noexcept;
  /// Cancels the one operation of this scope (not of scopes inside) that waits in idleness longest.
  /// False: there is none.
  bool request_drain_of_oldest() noexcept;

  [[nodiscard]] bool stop_requested() const noexcept { return stopping_; }
  [[nodiscard]] bool draining() const noexcept { return draining_ || stopping_; }
  [[nodiscard]] std::size_t running() const noexcept { return running_; }

  /// For leaf operations: registers until it is unlinked or cancelled. `idle`: drain cancels it
  /// too.
  enum class Waiting : bool { busy, idle };
  /// false when the operation is cancelled already and must not suspend.
  [[nodiscard]] bool enlist(Cancellable& operation, Waiting kind) noexcept;

  class Join {
   public:
    explicit Join(Scope& scope) noexcept : scope_(scope) {}
    [[nodiscard]] bool await_ready() const noexcept { return scope_.running_ == 0; }
    void await_suspend(std::coroutine_handle<> joiner) noexcept { scope_.joiner_ = joiner; }
    static void await_resume() noexcept {}

   private:
    Scope& scope_;
  };
  [[nodiscard]] Join join() noexcept { return Join(*this); }

 private:
  friend class List<Scope>;
  struct Driver;
  static Driver drive(Scope& scope, Task<void> task);
  void task_ended() noexcept;

  List<Cancellable> busy_;
  List<Cancellable> idle_;
  List<Scope> children_;
  std::coroutine_handle<> joiner_;
  std::size_t running_ = 0;
  bool stopping_ = false;
  bool draining_ = false;
};

/// `co_await within(scope, task)`: runs `task` like co_await alone, but its operations (and those
/// of what it awaits) belong to `scope`: stopping that scope cancels them.
template <class T>
struct Within {
  Scope& scope;
  Task<T> task;
  struct Awaiter {
    Scope& scope;
    typename Task<T>::Awaiter inner;
    [[nodiscard]] static bool await_ready() noexcept { return false; }
    template <class Promise>
    std::coroutine_handle<> await_suspend(std::coroutine_handle<Promise> parent) noexcept {
      inner.child.promise().continuation = parent;
      inner.child.promise().scope = &scope;
      return inner.child;
    }
    T await_resume() { return inner.await_resume(); }
  };
  Awaiter operator co_await() && noexcept { return {scope, std::move(task).operator co_await()}; }
};
template <class T>
[[nodiscard]] Within<T> within(Scope& scope, Task<T> task) noexcept {
  return {scope, std::move(task)};
}

}  // namespace async
