// TimerWheel: deadlines of thousands of connections, cheaply. Setting and clearing a timer moves
// four pointers; time advances in ticks of 4 ms. A timer never fires early, and at most a tick
// late.
//
// Three wheels of 256 slots: the first holds the next 256 ticks (about a second), the second the
// next 65,536 (over 4 minutes), the third 16 million (18 hours); what lies further waits in the
// last slot and is placed again. A slot of an outer wheel is spread over the inner one when its
// time comes.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <optional>

#include "async/intrusive_list.h"
#include "base/clock.h"

namespace io {

class Timer : public async::Link {
 public:
  virtual void on_timer() noexcept = 0;

 protected:
  ~Timer() = default;

 private:
  friend class TimerWheel;
  std::uint64_t due_tick_ = 0;
};

class TimerWheel {
 public:
  static constexpr std::chrono::milliseconds kTick{4};

  explicit TimerWheel(base::TimePoint start) noexcept : start_(start) {}

  /// Arms, or arms again. kNoDeadline only clears.
  void set(Timer& timer, base::TimePoint due) noexcept;

  /// Fires what is due at `now`. Callbacks may set and clear any timer.
  void advance(base::TimePoint now) noexcept;

  /// When advance should be called next: never later than the first timer's time, sometimes
  /// earlier.
  [[nodiscard]] std::optional<base::TimePoint> next() const noexcept;

 private:
  static constexpr std::size_t kSlots = 256;
  static constexpr std::size_t kWheels = 3;
  struct Wheel {
    std::array<async::List<Timer>, kSlots> slots;
  };
  void place(Timer& timer) noexcept;
  void turn() noexcept;

  base::TimePoint start_;
  std::uint64_t tick_ = 0;  // all timers with due_tick_ <= tick_ have fired
  std::array<Wheel, kWheels> wheels_;
};

}  // namespace io
