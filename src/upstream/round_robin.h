// Smooth weighted round robin, as nginx does it: at each pick every candidate gains its effective
// weight, the highest is taken and pays the sum of all. Weights 5, 1, 1 give a a b a c a a: the
// heavy peer's turns are spread, not bunched. A failure lowers the effective weight by weight /
// max_fails; each pick that sees the peer gives one back.
#pragma once

#include "upstream/balancer.h"

namespace upstream {

class RoundRobinBalancer final : public Balancer {
 public:
  [[nodiscard]] Peer* pick(PeerGroup& group, const Attempts& attempts,
                           base::TimePoint now) override;
};

}  // namespace upstream
