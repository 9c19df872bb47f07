// Losses: lines of one log that could not be written, told in episodes. An episode begins with the
// first lost line and ends with a line that is written at least kSteady after the last loss, so
// that a disk on the brink, or a UDP port that answers every other datagram with a refusal, makes
// two error lines and not thousands.
//
// Shared by all threads that write to the log. Nothing but a relaxed load happens while all is
// well.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>

#include "base/clock.h"

namespace observe {

class Losses {
 public:
  static constexpr std::chrono::seconds kSteady{1};

  /// `lines` were lost. True if that begins an episode.
  bool lose(std::uint64_t lines, base::TimePoint now) noexcept;
  /// Something was written. How many lines the episode has cost that this ends; 0 if none ends.
  std::uint64_t recover(base::TimePoint now) noexcept;
  [[nodiscard]] bool failing() const noexcept { return failing_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> failing_ = false;
  std::mutex mutex_;  // guards what follows, for a few instructions
  std::uint64_t lost_ = 0;
  base::TimePoint last_;
};

}  // namespace observe
