// What a worker may know about the whole process, for pages that tell it: sums of the counters of
// all workers, and whether the process takes requests. Declared here, implemented in server.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>

#include "observe/counters.h"

namespace observe {

class Totals {
 public:
  /// From any thread.
  [[nodiscard]] virtual std::uint64_t sum(Counter counter) const noexcept = 0;

 protected:
  ~Totals() = default;
};

/// nginx's view of the clients' connections.
struct ConnectionCounts {
  std::uint64_t active = 0;
  std::uint64_t reading = 0;
  std::uint64_t writing = 0;
  std::uint64_t waiting = 0;
};
/// active = reading + writing + waiting, though the counters are not read at one moment.
[[nodiscard]] inline ConnectionCounts connection_counts(const Totals& totals) noexcept {
  ConnectionCounts counts;
  counts.active = totals.sum(Counter::connections_active);
  counts.waiting = std::min(counts.active, totals.sum(Counter::connections_idle));
  counts.writing = std::min(counts.active - counts.waiting, totals.sum(Counter::requests_active));
  counts.reading = counts.active - counts.waiting - counts.writing;
  return counts;
}

/// Written by the control thread, read by all.
struct Readiness {
  std::atomic<bool> listening = false;  // every listener of the configuration is open
  std::atomic<bool> draining = false;   // no new connections: the process is about to end

  [[nodiscard]] bool is_ready() const noexcept {
    return listening.load(std::memory_order_relaxed) && !draining.load(std::memory_order_relaxed);
  }
};

}  // namespace observe
