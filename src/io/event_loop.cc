#include "io/event_loop.h"

#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "base/check.h"

namespace io {

EventLoop::EventLoop(const base::Clock& clock)
    : clock_(clock),
      now_(clock.now()),
      wall_(clock.wall()),
      timers_(now_),
      epoll_(::epoll_create1(EPOLL_CLOEXEC)),
      wakeup_fd_(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)),
      events_(512) {
  CHECK(epoll_ && wakeup_fd_);
  epoll_event event{};
  event.events = EPOLLIN | EPOLLET;
  event.data.ptr = nullptr;  // the wake-up: it has nothing to do but end the wait
  CHECK(::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, wakeup_fd_.get(), &event) == 0);
}

EventLoop::~EventLoop() = default;

void EventLoop::take_time() noexcept {
  now_ = clock_.now();
  wall_ = clock_.wall();
}

void EventLoop::run() {
  const async::Executor::Use use(executor_);
  while (!stopping_.load(std::memory_order_relaxed)) turn(std::chrono::milliseconds(1000));
}

void EventLoop::turn(std::chrono::milliseconds longest) {
  if (!executor_.idle() || has_messages()) longest = {};
  if (const auto next = timers_.next(); next && longest.count() > 0) {
    const auto until = std::chrono::ceil<std::chrono::milliseconds>(*next - clock_.now());
    longest = std::clamp(until, std::chrono::milliseconds(0), longest);
  }
  const int count = ::epoll_wait(epoll_.get(), events_.data(), static_cast<int>(events_.size()),
                                 static_cast<int>(longest.count()));
  CHECK(count >= 0 || errno == EINTR);
  take_time();
  const base::TimePoint work_began = now_;
  hand_out(std::span(events_).first(static_cast<std::size_t>(std::max(count, 0))));
  timers_.advance(now_);
  executor_.run();
  run_messages();
  ++turns_;
  if (clock_.now() - work_began > kStallLimit) ++stalled_turns_;
}

void EventLoop::hand_out(std::span<epoll_event> batch) noexcept {
  while (!batch.empty()) {
    const epoll_event event = batch.front();
    batch = batch.subspan(1);
    handing_out_ = batch;
    if (event.data.ptr != nullptr) static_cast<Pollable*>(event.data.ptr)->on_events(event.events);
  }
  handing_out_ = {};
}

void EventLoop::run_until_idle() {
  const async::Executor::Use use(executor_);
  std::uint64_t quiet = 0;
  while (quiet < 2) {
    const bool busy = !executor_.idle() || has_messages();
    turn({});
    quiet = busy || !executor_.idle() ? 0 : quiet + 1;
  }
}

void EventLoop::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  post([] {});
}

void EventLoop::post(Message message) {
  {
    const std::scoped_lock lock(mutex_);
    messages_.push_back(std::move(message));
  }
  const std::uint64_t one = 1;
  // EAGAIN: the counter is full, so the loop is about to wake anyway.
  [[maybe_unused]] const auto written = ::write(wakeup_fd_.get(), &one, sizeof one);
}

bool EventLoop::has_messages() {
  const std::scoped_lock lock(mutex_);
  return !messages_.empty();
}

void EventLoop::run_messages() {
  std::vector<Message> batch;
  {
    const std::scoped_lock lock(mutex_);
    batch.swap(messages_);
  }
  for (Message& message : batch) message();
}

base::Result<void> EventLoop::add(int fd, std::uint32_t events, Pollable& pollable) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = &pollable;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_ADD, fd, &event) != 0) {
    return base::fail(base::error_from_errno(errno, "epoll_ctl() failed"));
  }
  return {};
}

base::Result<void> EventLoop::modify(int fd, std::uint32_t events, Pollable& pollable) {
  epoll_event event{};
  event.events = events | EPOLLET;
  event.data.ptr = &pollable;
  if (::epoll_ctl(epoll_.get(), EPOLL_CTL_MOD, fd, &event) != 0) {
    return base::fail(base::error_from_errno(errno, "epoll_ctl() failed"));
  }
  return {};
}

void EventLoop::remove(int fd, Pollable& pollable) noexcept {
  ::epoll_ctl(epoll_.get(), EPOLL_CTL_DEL, fd, nullptr);
  forget(pollable);
}

void EventLoop::forget(Pollable& pollable) noexcept {
  for (epoll_event& event : handing_out_) {
    if (event.data.ptr == &pollable) event.data.ptr = nullptr;
  }
}

}  // namespace io
