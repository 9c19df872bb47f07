#include "upstream/round_robin.h"

namespace upstream {

Peer* RoundRobinBalancer::pick(PeerGroup& group, const Attempts& attempts, base::TimePoint now) {
  Peer* best = nullptr;
  std::int64_t total = 0;
  for (const auto& candidate : group.peers) {
    Peer& peer = *candidate;
    if (attempts.has_tried(peer.id) || !is_available(peer, now)) continue;
    peer.current_weight += peer.effective_weight;
    total += peer.effective_weight;
    if (peer.effective_weight < peer.weight) ++peer.effective_weight;
    if (best == nullptr || peer.current_weight > best->current_weight) best = &peer;
  }
  if (best == nullptr) return nullptr;
  best->current_weight -= total;
  // A peer whose time-out has passed gets this one attempt; further ones wait for its outcome.
  if (now - best->checked > best->fail_timeout) best->checked = now;
  return best;
}

}  // namespace upstream
