// RestartPause: how long the supervisor waits between a server process's end and the next one's
// start: longer each time. One that has served is needed soon; one that dies before it can serve
// will most likely do so again.
#pragma once

#include <algorithm>
#include <chrono>

#include "base/clock.h"

namespace server {

class RestartPause {
 public:
  static constexpr std::chrono::milliseconds kFirst{10};
  static constexpr std::chrono::milliseconds kLongestToServe{80};
  static constexpr std::chrono::milliseconds kLongest{5000};
  // A process that lived longer starts the pauses anew.
  static constexpr std::chrono::seconds kStable{10};

  /// After one that lived so long.
  std::chrono::milliseconds next(base::Duration lived, bool has_served) noexcept {
    const std::chrono::milliseconds longest = has_served ? kLongestToServe : kLongest;
    pause_ = lived > kStable ? kFirst : std::min(pause_ * 2, longest);
    return pause_;
  }

 private:
  std::chrono::milliseconds pause_ = kFirst;
};

}  // namespace server
