#include "upstream/cluster_report.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

namespace upstream {
namespace {

PeerState state_of(const Peer& peer, base::TimePoint now) noexcept {
  if (peer.down) return PeerState::down;
  if (is_failed(peer, now)) return PeerState::failed;
  return peer.fails != 0 ? PeerState::failing : PeerState::up;
}

enum class Role : bool { primary, backup };

void add_peers(const Cluster& cluster, const PeerGroup& group, Role role, base::TimePoint now,
               std::vector<PeerReport>& reports, std::vector<bool>& seen) {
  for (const auto& peer : group.peers) {
    const EndpointSpec& endpoint = cluster.spec().endpoints[peer->endpoint];
    seen[peer->endpoint] = true;
    reports.push_back({.server = endpoint.name,
                       .address = peer->name,
                       .state = state_of(*peer, now),
                       .backup = role == Role::backup,
                       .weight = static_cast<std::uint64_t>(peer->weight),
                       .active = peer->in_use,
                       .idle = cluster.idle_connections(*peer),
                       .attempts = peer->attempts,
                       .failures = peer->failures});
  }
}

void add_peer(PeerReport& one, const PeerReport& other) noexcept {
  one.state = std::max(one.state, other.state);
  one.active += other.active;
  one.idle += other.idle;
  one.attempts += other.attempts;
  one.failures += other.failures;
}

void merge(ClusterReport& one, const ClusterReport& other) {
  for (const PeerReport& peer : other.peers) {
    const auto same = std::ranges::find_if(one.peers, [&](const PeerReport& mine) {
      return mine.server == peer.server && mine.address == peer.address;
    });
    if (same != one.peers.end()) {
      add_peer(*same, peer);
    } else {
      one.peers.push_back(peer);
    }
  }
  std::set<std::string> resolved;
  for (const PeerReport& peer : one.peers) {
    if (!peer.address.empty()) resolved.insert(peer.server);
  }
  std::erase_if(one.peers, [&](const PeerReport& peer) {
    return peer.address.empty() && resolved.contains(peer.server);
  });
}

}  // namespace

std::string_view name_of(PeerState state) noexcept {
  switch (state) {
    case PeerState::up: return "up";
    case PeerState::failing: return "failing";
    case PeerState::failed: return "failed";
    case PeerState::down: return "down";
    case PeerState::unresolved: return "unresolved";
  }
  return "";
}

ClusterReport report_of(const Cluster& cluster, base::TimePoint now) {
  const ClusterSpec& spec = cluster.spec();
  ClusterReport report{.name = spec.name, .is_group = spec.is_group, .peers = {}};
  std::vector<bool> seen(spec.endpoints.size());
  add_peers(cluster, cluster.primaries(), Role::primary, now, report.peers, seen);
  add_peers(cluster, cluster.backups(), Role::backup, now, report.peers, seen);
  for (std::size_t i = 0; i < seen.size(); ++i) {
    if (seen[i]) continue;
    const EndpointSpec& endpoint = spec.endpoints[i];
    report.peers.push_back({.server = endpoint.name,
                            .address = {},
                            .state = PeerState::unresolved,
                            .backup = endpoint.backup,
                            .weight = endpoint.weight});
  }
  return report;
}

void add(std::vector<ClusterReport>& all, const std::vector<ClusterReport>& others) {
  std::map<std::pair<std::string, bool>, std::size_t> index;
  for (std::size_t i = 0; i < all.size(); ++i) index.try_emplace({all[i].name, all[i].is_group}, i);
  for (const ClusterReport& other : others) {
    const auto [at, is_new] = index.try_emplace({other.name, other.is_group}, all.size());
    if (is_new) {
      all.push_back(other);
    } else {
      merge(all[at->second], other);
    }
  }
}

}  // namespace upstream
