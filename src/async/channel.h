// Channel<T>: a bounded queue between tasks of one thread. A full channel makes the sender wait, an
// empty one the receiver: back-pressure without counters. One sender and one receiver wait at a
// time.
#pragma once

#include <coroutine>
#include <deque>
#include <optional>
#include <utility>

#include "async/executor.h"
#include "async/scope.h"
#include "base/check.h"
#include "base/result.h"

namespace async {

template <class T>
class Channel {
 public:
  explicit Channel(std::size_t capacity) : capacity_(capacity) { CHECK(capacity > 0); }
  Channel(const Channel&) = delete;
  Channel& operator=(const Channel&) = delete;

  /// Nothing more will be sent: receivers get what is queued, then nothing.
  void close() noexcept {
    closed_ = true;
    wake(receiver_);
    wake(sender_);
  }
  [[nodiscard]] bool closed() const noexcept { return closed_; }

  /// false when the channel is full or closed.
  [[nodiscard]] bool try_send(T& value) {
    if (closed_ || queue_.size() >= capacity_) return false;
    queue_.push_back(std::move(value));
    wake(receiver_);
    return true;
  }
  [[nodiscard]] std::optional<T> try_receive() {
    if (queue_.empty()) return std::nullopt;
    std::optional<T> value(std::move(queue_.front()));
    queue_.pop_front();
    wake(sender_);
    return value;
  }

  class Wait final : public Cancellable {
   public:
    Wait(Channel& channel, Wait*& slot, bool for_room) noexcept
        : channel_(channel), slot_(slot), for_room_(for_room) {}
    [[nodiscard]] bool await_ready() const noexcept {
      return channel_.closed_ ||
             (for_room_ ? channel_.queue_.size() < channel_.capacity_ : !channel_.queue_.empty());
    }
    template <class Promise>
    bool await_suspend(std::coroutine_handle<Promise> self) noexcept {
      CHECK(slot_ == nullptr);
      Scope* scope = self.promise().scope;
      if (scope != nullptr && !scope->enlist(*this, Scope::Waiting::busy)) {
        cancelled_ = true;
        return false;
      }
      handle_ = self;
      slot_ = this;
      return true;
    }
    /// Error cancelled; otherwise look at the channel.
    [[nodiscard]] base::Result<void> await_resume() const noexcept {
      if (cancelled_) return base::fail(base::ErrorCode::cancelled);
      return {};
    }
    void cancel() noexcept override {
      cancelled_ = true;
      wake();
    }
    void wake() noexcept {
      unlink();
      slot_ = nullptr;
      Executor::current().post(handle_);
    }

   private:
    Channel& channel_;
    Wait*& slot_;
    std::coroutine_handle<> handle_;
    bool for_room_;
    bool cancelled_ = false;
  };
  /// Waits until try_send may succeed (or the channel is closed).
  [[nodiscard]] Wait room() noexcept { return Wait(*this, sender_, true); }
  /// Waits until try_receive gives a value (or the channel is closed).
  [[nodiscard]] Wait arrival() noexcept { return Wait(*this, receiver_, false); }

 private:
  static void wake(Wait* waiter) noexcept {
    if (waiter != nullptr) waiter->wake();
  }

  std::deque<T> queue_;
  std::size_t capacity_;
  Wait* sender_ = nullptr;
  Wait* receiver_ = nullptr;
  bool closed_ = false;
};

}  // namespace async
