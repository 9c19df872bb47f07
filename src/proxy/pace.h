// Pace: how slow a client may be, over a whole body. A client that sends or takes a byte a minute
// keeps every time-out between two bytes, and could hold its connection for days.
//
// It has a credit of waiting: full, it is worth one `pause`. The time that we wait for the client
// is taken from it, and what the client moves is paid back at `min_rate`; with no credit left the
// client is too slow. So it must reach the rate on average over about one pause, and a pause that
// was allowed before is allowed still. Only time in which the client is what we wait for counts: a
// slow backend costs it nothing.
//
//   0 <= credit <= pause
//
// Rejected: the average since the body began (a client that was quick for an hour might then drip
// for a day) and a total time (it would end long downloads of quick clients).
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <limits>

#include "base/clock.h"
#include "io/patience.h"

namespace proxy {

class Pace {
 public:
  struct Limits {
    std::chrono::milliseconds pause{60'000};  // longest time without a byte
    std::uint64_t min_rate = 0;               // bytes per second; 0: no limit
  };

  Pace() noexcept = default;
  explicit Pace(Limits limits) noexcept : limits_(limits), credit_(limits.pause) {}

  /// For a step that begins at `now` and is to move `bytes` (0: it is over with the first byte).
  [[nodiscard]] io::Patience patience(base::TimePoint now, std::uint64_t bytes = 0) const noexcept {
    if (limits_.min_rate == 0) return {base::kNoDeadline, limits_.pause};
    return {now + credit_ + worth(bytes), limits_.pause};
  }

  /// The step took `waited` and moved `bytes`.
  void account(base::Duration waited, std::uint64_t bytes) noexcept {
    if (limits_.min_rate == 0 || (waited.count() == 0 && credit_ == full())) return;
    credit_ = std::clamp(credit_ - waited + worth(bytes), base::Duration::zero(), full());
  }

  /// Whether a step of `bytes` that timed out after `waited` was too slow rather than silent. One
  /// that would have been over with the first byte was silent all the time.
  [[nodiscard]] bool is_too_slow(base::Duration waited, std::uint64_t bytes = 0) const noexcept {
    if (limits_.min_rate == 0 || (bytes == 0 && waited >= limits_.pause)) return false;
    return waited >= credit_ + worth(bytes);
  }

 private:
  [[nodiscard]] base::Duration full() const noexcept { return limits_.pause; }
  [[nodiscard]] base::Duration worth(std::uint64_t bytes) const noexcept {
    constexpr std::uint64_t kSecond = std::chrono::nanoseconds(std::chrono::seconds(1)).count();
    // Beyond a gigabyte in one step the credit is full at any rate that makes sense.
    return base::Duration(std::min<std::uint64_t>(bytes, 1U << 30) * kSecond / limits_.min_rate);
  }

  Limits limits_;
  base::Duration credit_ = limits_.pause;
};

}  // namespace proxy
