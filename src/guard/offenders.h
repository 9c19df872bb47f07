// Offenders: clients that flooded lately. Whoever ends their connection reports them
// (observe::OffenceSink), and gives them less the next time. Shared by all workers.
#pragma once

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <mutex>

#include "base/address.h"
#include "base/clock.h"
#include "base/siphash.h"
#include "observe/offence.h"

namespace guard {

class Offenders final : public observe::OffenceSink {
 public:
  /// How long an offence is remembered; each further one begins that time anew.
  static constexpr std::chrono::minutes kMemory{10};

  explicit Offenders(const base::Clock& clock) noexcept : clock_(clock) {}

  /// Floods are remembered, by the client's address: of IPv6 the first 64 bits, as one client has
  /// all that begin with them.
  void report(const observe::Offence& offence) noexcept override;

  /// Of that client, as far as they are remembered.
  [[nodiscard]] unsigned count(const base::Address& peer) const noexcept;

 private:
  [[nodiscard]] std::uint64_t hash_of(const base::Address& peer) const noexcept;

  // One place for each hash: whoever comes later takes it. An attacker who has enough addresses to
  // make the table forget has no need to.
  static constexpr std::size_t kPlaces = 4096;
  struct Place {
    std::uint64_t client = 0;  // keyed hash; 0: nobody
    std::uint32_t offences = 0;
    base::TimePoint last{};
  };

  const base::Clock& clock_;
  const base::SipKey key_ = base::random_sip_key();
  mutable std::mutex mutex_;
  std::array<Place, kPlaces> places_{};
};

}  // namespace guard
