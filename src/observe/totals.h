// What a worker may know about the whole process, for pages that tell it: sums of the counters of
// all workers, and whether the process takes requests. Declared here, implemented in server.
#pragma once

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

/// Written by the control thread, read by all.
struct Readiness {
  std::atomic<bool> listening = false;  // every listener of the configuration is open
  std::atomic<bool> draining = false;   // no new connections: the process is about to end

  [[nodiscard]] bool is_ready() const noexcept {
    return listening.load(std::memory_order_relaxed) && !draining.load(std::memory_order_relaxed);
  }
};

}  // namespace observe
