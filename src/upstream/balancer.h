// Balancer: an algorithm that chooses among the peers of a group.
#pragma once

#include "base/clock.h"
#include "upstream/attempts.h"
#include "upstream/peer.h"

namespace upstream {

class Balancer {
 public:
  virtual ~Balancer() = default;

  /// A peer that is available and that the exchange has not tried, or null.
  [[nodiscard]] virtual Peer* pick(PeerGroup& group, const Attempts& attempts,
                                   base::TimePoint now) = 0;
};

}  // namespace upstream
