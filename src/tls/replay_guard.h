// ReplayGuard: which ClientHellos with early data this process has seen (RFC 8446 §8.2).
//
// Early data can be recorded and sent again, so a ClientHello is taken once. A replay is the same
// to the byte, its random included, and OpenSSL takes early data only if the ticket's age is right
// within 10 seconds (§8.3); so randoms are remembered for longer than that. Only tickets of this
// process are good for early data: another one, or another machine, has not seen what this one has.
// One object is shared by all workers.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <set>

#include "base/clock.h"

namespace tls {

class ReplayGuard {
 public:
  using Random = std::array<std::uint8_t, 32>;
  static constexpr std::chrono::seconds kWindow{30};
  static constexpr std::size_t kMost = 65536;

  enum class Verdict : std::uint8_t { fresh, replayed, full };

  /// `most`: what is remembered of one window; beyond it early data is not taken.
  explicit ReplayGuard(std::size_t most = kMost);

  /// Remembers `random` for at least kWindow. Thread-safe.
  [[nodiscard]] Verdict check(const Random& random, base::TimePoint now);
  /// What tickets of this process carry; random.
  [[nodiscard]] const std::array<std::uint8_t, 16>& mark() const noexcept { return mark_; }

 private:
  const std::size_t most_;
  std::array<std::uint8_t, 16> mark_{};
  std::mutex mutex_;  // guards what follows
  // Ordered: clients choose their randoms, and could make a hash table slow.
  std::set<Random> current_;
  std::set<Random> previous_;  // of the window before
  base::TimePoint began_{};  // the current window
};

}  // namespace tls
