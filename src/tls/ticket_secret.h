// TicketSecret: what the keys of session tickets are derived from, so that processes that share it
// make the same keys at the same time without talking: the supervisor makes it once and gives it to
// each server process that it starts and, over an upgrade, to the next supervisor.
//
//   chain[n + 1] = HKDF-Expand(chain[n], "sallyport tickets next")      RFC 5869 §2.3
//   key[n]       = HKDF-Expand(chain[n], "sallyport tickets key")
//
// n counts periods of the monotonic clock, which all processes of a machine share. The chain goes
// forward only: who has forgotten chain[n] can't make key[n] any more. Rejected: one secret for
// good, of which a memory that is read today would open every connection recorded since the start.
// Also rejected: random keys that the supervisor hands out every hour, since two supervisors beside
// each other (an upgrade) would have to agree on them.
//
// It lies in a page of its own, which core dumps leave out, and is wiped when it goes.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <memory>

#include "base/clock.h"
#include "base/fd.h"
#include "base/result.h"

namespace tls {

struct TicketKey {
  std::array<std::uint8_t, 16> name{};
  std::array<std::uint8_t, 32> cipher_key{};  // AES-CBC
  std::array<std::uint8_t, 32> mac_key{};  // HMAC-SHA-256
  std::uint8_t size = 32;  // of each: 32 (AES-256), or 16 (AES-128)
  base::TimePoint made;  // when its period began

  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  [[nodiscard]] bool operator==(const TicketKey&) const = default;
  ~TicketKey();  // wipes
};

class TicketSecret {
 public:
  using Period = std::uint64_t;
  static constexpr std::chrono::hours kPeriod{1};
  /// How long a ticket is taken at most.
  static constexpr std::chrono::hours kLongestLifetime{24};

  [[nodiscard]] static Period period_of(base::TimePoint time) noexcept;
  [[nodiscard]] static base::TimePoint start_of(Period period) noexcept;

  /// A new one, random, for keys from `now` on.
  [[nodiscard]] static TicketSecret make(base::TimePoint now);
  TicketSecret(TicketSecret&& other) noexcept = default;
  TicketSecret& operator=(TicketSecret&& other) noexcept = default;
  ~TicketSecret() = default;

  /// The first period whose key it can make.
  [[nodiscard]] Period first() const noexcept;
  /// The key of `period`, which is first() or later.
  [[nodiscard]] TicketKey key(Period period) const;
  /// Keys of earlier periods can't be made any more.
  void forget_before(Period period);
  /// Those whose tickets are too old by now.
  void forget_expired(base::TimePoint now);

  /// A copy in an anonymous file, whose size can't change, for one receiver.
  [[nodiscard]] base::Result<base::Fd> hand_over() const;
  /// What hand_over() made; wipes it. Error protocol: it is something else, or from another time.
  [[nodiscard]] static base::Result<TicketSecret> take(base::Fd file, base::TimePoint now);

 private:
  struct Body;
  struct Wipe {
    void operator()(Body* body) const noexcept;
  };
  TicketSecret();
  std::unique_ptr<Body, Wipe> body_;
};

}  // namespace tls
