// Patience: how long an operation that takes several steps may last. `whole` bounds all of it,
// `pause` each stretch in which the peer does nothing: nginx's time-outs "between two successive
// operations". A Deadline alone is a Patience that asks nothing of the steps.
#pragma once

#include <algorithm>

#include "base/clock.h"

namespace io {

struct Patience {
  base::Deadline whole = base::kNoDeadline;
  base::Duration pause = base::Duration::max();

  constexpr Patience(base::Deadline deadline) noexcept : whole(deadline) {}  // NOLINT: implicit
  constexpr Patience(base::Deadline deadline, base::Duration longest_pause) noexcept
      : whole(deadline), pause(longest_pause) {}

  /// When the step that begins at `now` must have done something.
  [[nodiscard]] constexpr base::Deadline until(base::TimePoint now) const noexcept {
    return pause < whole - now ? now + pause : whole;
  }
};

}  // namespace io
