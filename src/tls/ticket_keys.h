// TicketKeys: the keys of stateless session tickets (RFC 5077 §4, RFC 8446 §4.6.1). They rotate
// themselves: a new key every hour, old ones kept for as long as a ticket under them may live. One
// object is shared by all workers and is handed on over reloads; the keys come of a TicketSecret,
// which outlives the process. So tickets survive all of them.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <mutex>
#include <vector>

#include "base/clock.h"
#include "tls/ticket_secret.h"

namespace tls {

class TicketKeys {
 public:
  static constexpr std::chrono::hours kRotation = TicketSecret::kPeriod;

  /// `lifetime`: the longest ssl_session_timeout of the configuration.
  TicketKeys(const base::Clock& clock, std::chrono::seconds lifetime, TicketSecret secret);
  /// With a secret of its own.
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
  std::mutex mutex_;  // guards what follows
  TicketSecret secret_;  // of the keys to come
  std::vector<TicketKey> keys_;
  std::chrono::seconds lifetime_;
  std::atomic<std::uint64_t> generation_ = 0;
  std::atomic<base::TimePoint::rep> next_rotation_ = 0;
};

}  // namespace tls
