// ClusterReport: the state of a cluster's peers on one worker, as plain data that may leave its
// thread, and the sum over workers. For `status`.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "upstream/cluster.h"

namespace upstream {

/// failing: some failures, still tried. failed: left out for its fail_timeout. down: marked so.
/// unresolved: its name has no address (yet).
enum class PeerState : std::uint8_t { up, failing, failed, down, unresolved };
[[nodiscard]] std::string_view name_of(PeerState state) noexcept;

struct PeerReport {
  std::string server;   // as it is written
  std::string address;  // empty: unresolved
  PeerState state = PeerState::up;
  bool backup = false;
  std::uint64_t weight = 1;
  std::uint64_t active = 0;
  std::uint64_t idle = 0;  // kept connections
  std::uint64_t attempts = 0;
  std::uint64_t failures = 0;
};

struct ClusterReport {
  std::string name;
  bool is_group = true;
  std::vector<PeerReport> peers;
};

[[nodiscard]] ClusterReport report_of(const Cluster& cluster, base::TimePoint now);

/// Adds another worker's. A peer's state is the worst that a worker sees; a name that one of them
/// has resolved is resolved.
void add(std::vector<ClusterReport>& all, const std::vector<ClusterReport>& others);

}  // namespace upstream
