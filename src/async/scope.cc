#include "async/scope.h"

#include <utility>

#include "async/executor.h"
#include "base/check.h"

namespace async {

// The coroutine that carries a spawned task: it starts at once and frees itself at its end.
struct Scope::Driver {
  struct promise_type {
    Scope* scope;
    promise_type(Scope& owner, const Task<void>&) noexcept : scope(&owner) {}
    static void* operator new(std::size_t size) { return allocate_frame(size); }
    static void operator delete(void* frame, std::size_t size) noexcept { free_frame(frame, size); }
    static Driver get_return_object() noexcept { return {}; }
    static std::suspend_never initial_suspend() noexcept { return {}; }
    struct End {
      [[nodiscard]] static bool await_ready() noexcept { return false; }
      static void await_suspend(std::coroutine_handle<promise_type> self) noexcept {
        Scope* scope = self.promise().scope;
        self.destroy();
        scope->task_ended();
      }
      static void await_resume() noexcept {}
    };
    static End final_suspend() noexcept { return {}; }
    static void return_void() noexcept {}
    [[noreturn]] static void unhandled_exception() noexcept { std::terminate(); }
  };
};

Scope::Scope(Scope* parent) noexcept {
  if (parent == nullptr) return;
  parent->children_.push_back(*this);
  stopping_ = parent->stopping_;
  draining_ = parent->draining_;
}

Scope::~Scope() { CHECK(running_ == 0); }

Scope::Driver Scope::drive(Scope& /*scope*/, Task<void> task) { co_await std::move(task); }

void Scope::spawn(Task<void> task) {
  ++running_;
  drive(*this, std::move(task));
}

void Scope::task_ended() noexcept {
  CHECK(running_ > 0);
  if (--running_ == 0 && joiner_) Executor::current().post(std::exchange(joiner_, nullptr));
}

void Scope::request_stop() noexcept {
  stopping_ = true;
  while (!busy_.empty()) busy_.pop_front().cancel();
  while (!idle_.empty()) idle_.pop_front().cancel();
  children_.for_each([](Scope& child) { child.request_stop(); });
}

void Scope::request_drain() noexcept {
  draining_ = true;
  while (!idle_.empty()) idle_.pop_front().cancel();
  children_.for_each([](Scope& child) { child.request_drain(); });
}

bool Scope::request_drain_of_oldest() noexcept {
  if (idle_.empty()) return false;
  idle_.pop_front().cancel();
  return true;
}

bool Scope::enlist(Cancellable& operation, Waiting kind) noexcept {
  if (stopping_ || (draining_ && kind == Waiting::idle)) return false;
  (kind == Waiting::idle ? idle_ : busy_).push_back(operation);
  return true;
}

}  // namespace async
