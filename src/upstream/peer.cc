#include "upstream/peer.h"

namespace upstream {

bool is_failed(const Peer& peer, base::TimePoint now) noexcept {
  return peer.max_fails != 0 && peer.fails >= peer.max_fails &&
         now - peer.checked <= peer.fail_timeout;
}

bool is_available(const Peer& peer, base::TimePoint now) noexcept {
  const bool full = peer.max_conns != 0 && peer.in_use >= peer.max_conns;
  return !peer.down && !full && !is_failed(peer, now);
}

bool report(const PeerGroup& group, Peer& peer, Outcome outcome, base::TimePoint now) noexcept {
  if (group.alone) {
    peer.fails = 0;
    return false;
  }
  if (outcome == Outcome::success) {
    // Only an attempt that began after the last failure shows that the peer is well again.
    if (peer.accessed < peer.checked) peer.fails = 0;
    return false;
  }
  if (outcome == Outcome::unproven) return false;
  ++peer.fails;
  peer.accessed = now;
  peer.checked = now;
  if (peer.max_fails == 0) return false;
  peer.effective_weight -= peer.weight / peer.max_fails;
  if (peer.effective_weight < 0) peer.effective_weight = 0;
  return peer.fails >= peer.max_fails;
}

}  // namespace upstream
