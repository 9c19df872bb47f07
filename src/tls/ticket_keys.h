// TicketKeys: the keys of stateless session tickets (RFC 5077 §4, RFC 8446 §4.6.1). They make and
// rotate themselves: a new key every hour, old ones kept for as long as a ticket under them may
// live. One object is shared by all workers and is handed on over reloads, so tickets survive both.
#pragma once

#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/clock.h"

namespace tls {

struct TicketKey {
  std::array<std::uint8_t, 16> name{};
  std::array<std::uint8_t, 32> cipher_key{};  // AES-256-CBC
  std::array<std::uint8_t, 32> mac_key{};  // HMAC-SHA-256
  base::TimePoint made;

  TicketKey() = default;
  TicketKey(const TicketKey&) = default;
  TicketKey& operator=(const TicketKey&) = default;
  ~TicketKey();  // wipes
};

class TicketKeys {
 public:
  static constexpr std::chrono::hours kRotation{1};

  /// `lifetime`: the longest ssl_session_timeout of the configuration.
  TicketKeys(const base::Clock& clock, std::chrono::seconds lifetime);

  /// Thread-safe. A reload may lengthen it; keys already dropped do not come back.
  void set_lifetime(std::chrono::seconds lifetime);

  /// A worker's copy: the newest key first. Refreshed when it is out of date; in between it costs
  /// one relaxed load.
  struct Copy {
    std::vector<TicketKey> keys;
    std::uint64_t generation = 0;
  };
  void refresh(Copy& copy);

 private:
  void rotate(base::TimePoint now);  // with mutex_ held

  const base::Clock& clock_;
  std::mutex mutex_;  // guards keys_ and lifetime_
  std::vector<TicketKey> keys_;
  std::chrono::seconds lifetime_;
  std::atomic<std::uint64_t> generation_ = 0;
  std::atomic<base::TimePoint::rep> next_rotation_ = 0;
};

}  // namespace tls
