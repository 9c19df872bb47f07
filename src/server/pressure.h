// Pressure: what the process has left of descriptors and memory. One for all workers of a process;
// every member may be called from any thread.
//
//   used    ──────────────┬────────────────┬─────────────────────┐ limit
//           plenty        │ scarce         │ exhausted (reserve) │
//                         │ idle ones go   │ and new ones wait   │
//
// How many descriptors are open is never counted: the kernel gives out the lowest number that is
// free, so an accepted socket of number n says that n others are open, for nothing. A client that
// is being served and has no backend yet will need a second descriptor: it is counted as two.
// What lies between the last mark and the limit is kept for connections to backends, temporary
// files, and the descriptors of a reload.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <mutex>
#include <string>
#include <vector>

#include "base/clock.h"
#include "observe/counters.h"

namespace server {

enum class Supply : std::uint8_t { plenty, scarce, exhausted };

/// The marks for descriptors. reserve < limit.
struct DescriptorMarks {
  std::uint64_t scarce;
  std::uint64_t exhausted;

  [[nodiscard]] static DescriptorMarks of_limit(std::uint64_t limit) noexcept;
  [[nodiscard]] Supply judge(std::uint64_t used) const noexcept;
};
/// The same for memory, in bytes; a limit of 0 is none.
[[nodiscard]] Supply judge_memory(std::uint64_t used, std::uint64_t limit) noexcept;

class Pressure {
 public:
  /// Of a process that may have so many descriptors.
  explicit Pressure(std::uint64_t descriptor_limit) noexcept;

  // --- workers

  enum class Shortage : std::uint8_t { descriptors, memory };

  /// A worker's part. `shed` is called from any thread: it makes the worker close what is idle, and
  /// tell of the shortage if nobody has.
  struct Member {
    const observe::Counters& counters;
    std::function<void(Shortage)> shed;
  };
  /// Until leave(); shed is not called after that.
  void join(const Member& member);
  void leave(const Member& member);
  /// Makes every worker but `self` (null: every worker) close what is idle.
  void shed(const Member* self, Shortage shortage);

  // --- descriptors

  /// Of a descriptor that was just given out, or of the lowest free one. The first test is all that
  /// it costs while there is plenty.
  [[nodiscard]] Supply judge(int descriptor) {
    const auto number = static_cast<std::uint64_t>(descriptor);
    return number < marks_.scarce / 2 ? Supply::plenty : judge_exactly(number);
  }
  [[nodiscard]] std::uint64_t descriptor_limit() const noexcept { return limit_; }

  // --- memory

  [[nodiscard]] Supply memory() const noexcept { return memory_.load(std::memory_order_relaxed); }
  [[nodiscard]] std::uint64_t memory_limit() const noexcept { return memory_limit_; }
  [[nodiscard]] std::uint64_t memory_used() const noexcept { return memory_used_; }
  void set_memory_limit(std::uint64_t bytes) noexcept { memory_limit_ = bytes; }
  /// What is used now, from whoever measures it.
  Supply set_memory_used(std::uint64_t bytes) noexcept;

  // --- episodes: each shortage is told once, until it has been away for a while

  enum class Stage : std::uint8_t { closing_idle, waiting };
  /// True for the first to ask in an episode.
  [[nodiscard]] bool begins_episode(Shortage shortage, Stage stage, base::TimePoint now) noexcept;
  /// For `status`: whether a shortage was met within the last seconds.
  [[nodiscard]] bool is_recent(Shortage shortage, base::TimePoint now) const noexcept;
  /// A sentence for the log: what is short, and what is done.
  [[nodiscard]] std::string describe(Shortage shortage, Stage stage) const;

 private:
  [[nodiscard]] Supply judge_exactly(std::uint64_t descriptor);

  static constexpr std::chrono::seconds kEpisodeEnd{30};
  using Ticks = std::chrono::steady_clock::rep;

  const std::uint64_t limit_;
  const DescriptorMarks marks_;
  std::atomic<Supply> memory_ = Supply::plenty;
  std::atomic<std::uint64_t> memory_limit_ = 0;
  std::atomic<std::uint64_t> memory_used_ = 0;
  std::atomic<Ticks> last_[2][2] = {};  // by shortage and stage: when it was met last; 0: never
  std::mutex mutex_;  // guards members_
  std::vector<const Member*> members_;
};

}  // namespace server
