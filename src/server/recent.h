// Recent: what the counters have risen by lately. They only grow since the start, and what an
// administrator wants to be warned of is what happens now. A sample each half minute, for ten
// minutes; some kilobytes. Of the control thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

#include "base/clock.h"
#include "observe/counters.h"

namespace server {

class Recent {
 public:
  static constexpr std::chrono::seconds kPause{30};
  static constexpr std::chrono::minutes kLately{10};

  void sample(std::span<const observe::Reading> readings, base::TimePoint now);
  /// By how much each has risen within kLately (or since the first sample); in the order of
  /// `readings`, which has always the same names.
  [[nodiscard]] std::vector<std::uint64_t> since(std::span<const observe::Reading> readings,
                                                 base::TimePoint now) const;

 private:
  struct Sample {
    base::TimePoint at;
    std::vector<std::uint64_t> values;
  };
  std::deque<Sample> samples_;  // oldest first; the first may be older than kLately
};

}  // namespace server
