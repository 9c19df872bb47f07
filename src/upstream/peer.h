// Peer: one address of an endpoint, with what a worker remembers about it. A host name with several
// addresses gives several peers, as in nginx. Failures count as nginx counts them (max_fails,
// fail_timeout); every balancing algorithm shares this part.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/address.h"
#include "base/clock.h"
#include "upstream/cluster_spec.h"

namespace upstream {

struct Peer {
  std::uint32_t id = 0;  // unique in its cluster, never used again
  std::size_t endpoint = 0;  // index in ClusterSpec::endpoints
  base::Address address;
  std::string name;  // the address as text, for logs and $upstream_addr
  std::string target;  // the host that has it, where that came out of an SRV record

  std::int64_t weight = 1;
  std::int64_t effective_weight = 1;  // sinks with failures, recovers pick by pick
  std::int64_t current_weight = 0;
  std::uint32_t max_fails = 1;
  base::Duration fail_timeout{};
  std::uint32_t max_conns = 0;
  bool down = false;
  bool retired = false;  // its name no longer has this address

  std::uint32_t fails = 0;
  std::uint32_t in_use = 0;  // attempts under way
  std::uint64_t attempts = 0;  // all so far
  std::uint64_t failures = 0;  // of those
  base::TimePoint accessed{};  // of the last failure
  base::TimePoint checked{};  // when it was last given a chance
};

/// unproven: the attempt ended for reasons that say nothing about the peer (the client went away, a
/// kept connection had been closed meanwhile).
enum class Outcome : std::uint8_t { success, failure, unproven };

/// Primaries, or backups.
struct PeerGroup {
  std::vector<std::unique_ptr<Peer>> peers;
  bool alone = false;  // the only peer of its cluster: failures do not count, there is no choice
};

/// May it be tried at `now`, as far as `down`, failures and max_conns go?
[[nodiscard]] bool is_available(const Peer& peer, base::TimePoint now) noexcept;

/// Is it left out because of its failures?
[[nodiscard]] bool is_failed(const Peer& peer, base::TimePoint now) noexcept;

/// Takes an attempt's outcome into account. True when it puts the peer out of service ("upstream
/// server temporarily disabled").
bool report(const PeerGroup& group, Peer& peer, Outcome outcome, base::TimePoint now) noexcept;

}  // namespace upstream
