// EventLoop: one thread's epoll, timers, ready coroutines and messages from other threads.
//
// A turn: wait → hand out readiness (edge-triggered) → fire timers → run ready coroutines →
// messages. Readiness and timers only post coroutines to the executor; nothing is resumed in the
// middle of a callback. A watchdog counts turns whose work took longer than 10 ms: the sign that
// something blocks.
//
// Everything but post() and stop() belongs to the thread that calls run().
#pragma once

#include <atomic>
#include <chrono>
#include <coroutine>
#include <cstdint>
#include <functional>
#include <mutex>
#include <span>
#include <vector>

#include "async/executor.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"
#include "io/timers.h"

struct epoll_event;

namespace io {

/// Receives a descriptor's readiness.
class Pollable {
 public:
  /// `events`: EPOLLIN, EPOLLOUT, EPOLLRDHUP, EPOLLERR, EPOLLHUP.
  virtual void on_events(std::uint32_t events) noexcept = 0;

 protected:
  ~Pollable() = default;
};

class EventLoop {
 public:
  using Message = std::move_only_function<void()>;

  explicit EventLoop(const base::Clock& clock);
  ~EventLoop();
  EventLoop(const EventLoop&) = delete;
  EventLoop& operator=(const EventLoop&) = delete;

  /// Runs until stop(). The executor becomes the thread's.
  void run();
  /// One turn; waits at most `longest` (not at all when something is ready).
  void turn(std::chrono::milliseconds longest);
  /// For tests: turns without waiting until nothing happens any more.
  void run_until_idle();
  /// From any thread: run() returns after the current turn.
  void stop();
  /// From any thread: `message` runs on the loop's thread, in the order of posting.
  void post(Message message);

  /// Time at the start of this turn's work: cheap, the same for all that happens in it.
  [[nodiscard]] base::TimePoint now() const noexcept { return now_; }
  /// Wall time at the same moment.
  [[nodiscard]] base::WallTime wall() const noexcept { return wall_; }
  [[nodiscard]] const base::Clock& clock() const noexcept { return clock_; }

  [[nodiscard]] TimerWheel& timers() noexcept { return timers_; }
  [[nodiscard]] async::Executor& executor() noexcept { return executor_; }

  /// Watches `fd` edge-triggered for `events`; `pollable` must be removed before it dies.
  [[nodiscard]] base::Result<void> add(int fd, std::uint32_t events, Pollable& pollable);
  [[nodiscard]] base::Result<void> modify(int fd, std::uint32_t events, Pollable& pollable);
  /// Forgets `pollable`, also in the batch being handed out. Call before closing `fd`.
  void remove(int fd, Pollable& pollable) noexcept;

  /// The same for a descriptor that is about to be closed and has no duplicate: closing takes it
  /// out of epoll, so no system call is spent.
  void forget(Pollable& pollable) noexcept;

  /// Who closes what is idle when the process has no descriptor left. True: some will be free soon.
  using Relief = std::function<bool()>;
  void set_relief(Relief relief) { relief_ = std::move(relief); }
  /// For whoever needs a descriptor and got EMFILE: true if it is worth another try in a moment.
  [[nodiscard]] bool relieve() { return relief_ && relief_(); }
  static constexpr std::chrono::milliseconds kReliefPause{10};

  static constexpr std::chrono::milliseconds kStallLimit{10};
  [[nodiscard]] std::uint64_t stalled_turns() const noexcept { return stalled_turns_; }
  [[nodiscard]] std::uint64_t turns() const noexcept { return turns_; }

 private:
  class Wakeup;
  void take_time() noexcept;
  void hand_out(std::span<epoll_event> batch) noexcept;
  void run_messages();
  bool has_messages();

  const base::Clock& clock_;
  base::TimePoint now_;
  base::WallTime wall_;
  TimerWheel timers_;
  async::Executor executor_;
  base::Fd epoll_;
  base::Fd wakeup_fd_;
  std::vector<epoll_event> events_;
  std::span<epoll_event> handing_out_;
  Relief relief_;
  std::mutex mutex_;  // guards messages_
  std::vector<Message> messages_;
  std::atomic<bool> stopping_ = false;
  std::uint64_t stalled_turns_ = 0;
  std::uint64_t turns_ = 0;
};

/// Goes on behind what else is ready: for whoever could work on for long without ever waiting. Not
/// cancelled: it is over in a turn.
class NextTurn {
 public:
  explicit NextTurn(EventLoop& loop) noexcept : loop_(loop) {}
  [[nodiscard]] static bool await_ready() noexcept { return false; }
  void await_suspend(std::coroutine_handle<> self) const {
    loop_.post([self] { self.resume(); });
  }
  static void await_resume() noexcept {}

 private:
  EventLoop& loop_;
};

}  // namespace io
