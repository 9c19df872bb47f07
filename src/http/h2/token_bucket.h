// TokenBucket: `burst` at once, `per_second` over time. Counts in thousandths, so that slow rates
// refill evenly.
#pragma once

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "base/clock.h"
#include "http/h2/limits.h"

namespace http::h2 {

class TokenBucket {
 public:
  TokenBucket(Rate rate, base::TimePoint now) noexcept
      : rate_(rate), left_(full()), refilled_(now) {}

  /// False: there is none left.
  [[nodiscard]] bool take(base::TimePoint now) noexcept {
    if (now != refilled_) refill(now);
    if (left_ < kToken) return false;
    left_ -= kToken;
    return true;
  }
  /// Gives back what was earned, never beyond the burst.
  void give(std::uint32_t tokens) noexcept { left_ = std::min(full(), left_ + tokens * kToken); }

 private:
  static constexpr std::uint64_t kToken = 1000;
  [[nodiscard]] std::uint64_t full() const noexcept { return rate_.burst * kToken; }
  void refill(base::TimePoint now) noexcept {
    using std::chrono::milliseconds;
    const auto passed = std::chrono::duration_cast<milliseconds>(now - refilled_);
    if (passed.count() <= 0) return;
    constexpr milliseconds kLong = std::chrono::hours(24);
    const auto added =
        static_cast<std::uint64_t>(std::min(passed, kLong).count()) * rate_.per_second;
    left_ = std::min(full(), left_ + added);
    refilled_ += passed;  // what is below a millisecond counts the next time
  }

  Rate rate_;
  std::uint64_t left_;
  base::TimePoint refilled_;
};

}  // namespace http::h2
