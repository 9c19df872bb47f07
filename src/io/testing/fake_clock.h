// FakeClock: time that a test moves.
#pragma once

#include "base/clock.h"

namespace io::testing {

class FakeClock final : public base::Clock {
 public:
  [[nodiscard]] base::TimePoint now() const noexcept override { return now_; }
  [[nodiscard]] base::WallTime wall() const noexcept override {
    return base::WallTime(
        std::chrono::duration_cast<base::WallTime::duration>(now_.time_since_epoch() + shift_));
  }
  void advance(base::Duration by) noexcept { now_ += by; }
  /// The wall clock is set; no timer notices.
  void set_wall(base::WallTime to) noexcept {
    shift_ = to.time_since_epoch() - now_.time_since_epoch();
  }

 private:
  base::TimePoint now_{std::chrono::hours(24 * 365 * 50)};
  base::Duration shift_{0};
};

}  // namespace io::testing
