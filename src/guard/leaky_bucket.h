// nginx's leaky bucket. A key's excess is what it has asked for above the rate, in thousandths of a
// request: each request adds 1000, each millisecond takes rate/1000 away, and it is never negative.
//
//   excess = max(0, excess - rate * milliseconds / 1000 + 1000)
#pragma once

#include <cstdint>

#include "guard/state_table.h"

namespace guard {

struct BucketRule {
  std::uint64_t rate = 0;  // thousandths of a request per second, > 0
  std::uint64_t burst = 0;  // thousandths
};

struct BucketLook {
  enum class Outcome : std::uint8_t {
    fits,  // counted already
    held,  // not yet counted: settle_bucket() or leave_bucket() must follow
    exceeds,  // the excess would be above the burst
    no_room,  // the zone is full of states that are held
  };
  Outcome outcome = Outcome::no_room;
  std::uint64_t excess = 0;
  bool evicted = false;  // another key's state was dropped while it still had an excess
};

/// Whether one more request fits; a request that must pass several rules holds all but the last,
/// and counts only when it has passed every one. `now`: milliseconds of a monotonic clock.
enum class Counted : bool { at_once, later };
[[nodiscard]] BucketLook look_at_bucket(StateTable& table, const StateTable::Key& key,
                                        const BucketRule& rule, std::int64_t now,
                                        Counted counted) noexcept;
/// Counts a request that holds the state. Gives the excess, which is not compared with the burst
/// any more: other requests may have been counted meanwhile.
std::uint64_t settle_bucket(StateTable& table, const StateTable::Key& key, const BucketRule& rule,
                            std::int64_t now) noexcept;
/// The request is not counted after all.
void leave_bucket(StateTable& table, const StateTable::Key& key) noexcept;

}  // namespace guard
