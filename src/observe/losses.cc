#include "observe/losses.h"

#include <utility>

namespace observe {

bool Losses::lose(std::uint64_t lines, base::TimePoint now) noexcept {
  const std::lock_guard lock(mutex_);
  lost_ += lines;
  last_ = now;
  return !failing_.exchange(true, std::memory_order_relaxed);
}

std::uint64_t Losses::recover(base::TimePoint now) noexcept {
  if (!failing()) return 0;
  const std::lock_guard lock(mutex_);
  if (!failing() || now - last_ < kSteady) return 0;
  failing_.store(false, std::memory_order_relaxed);
  return std::exchange(lost_, 0);
}

}  // namespace observe
