// MemoryWatch: measures the process's memory on the control thread and tells Pressure. Once a
// second while there is plenty, ten times while there is not; then every worker is told to close
// what is idle, and the allocator to give back what it holds.
#pragma once

#include "io/event_loop.h"
#include "io/timers.h"
#include "server/pressure.h"

namespace server {

class MemoryWatch final : private io::Timer {
 public:
  /// `loop` is that of the thread that calls; both outlive it.
  MemoryWatch(io::EventLoop& loop, Pressure& pressure) noexcept
      : loop_(loop), pressure_(pressure) {}

  /// 0: stops measuring.
  void set_limit(std::uint64_t bytes);

 private:
  void on_timer() noexcept override;

  io::EventLoop& loop_;
  Pressure& pressure_;
  base::TimePoint may_trim_{};
};

}  // namespace server
