#include "guard/leaky_bucket.h"

#include <algorithm>

#include "base/check.h"

namespace guard {
namespace {

constexpr std::int64_t kRequest = 1000;
// Workers see time a turn of their loops apart. More than a minute back is another clock.
constexpr std::int64_t kMostBack = 60'000;
// After so long every excess is gone; the product below stays far from its limits.
constexpr std::int64_t kLongest = 1'000'000'000;

std::int64_t elapsed(const State& state, std::int64_t now) noexcept {
  const std::int64_t passed = now - state.last;
  if (passed < -kMostBack) return 1;
  return std::clamp<std::int64_t>(passed, 0, kLongest);
}

// With `more` on top.
std::uint64_t excess_of(const State& state, std::uint64_t rate, std::int64_t passed,
                        std::int64_t more) noexcept {
  const auto leaked = static_cast<__int128>(rate) * passed / 1000;
  const auto excess = static_cast<__int128>(state.excess) - leaked + more;
  return excess > 0 ? static_cast<std::uint64_t>(excess) : 0;
}

void count(State& state, std::uint64_t excess, std::int64_t passed, std::int64_t now) noexcept {
  state.excess = excess;
  if (passed != 0) state.last = now;
}

}  // namespace

BucketLook look_at_bucket(StateTable& table, const StateTable::Key& key, const BucketRule& rule,
                          std::int64_t now, Counted counted) noexcept {
  using Outcome = BucketLook::Outcome;
  auto access = table.access(key);
  BucketLook look;
  State* state = access.find();
  if (state == nullptr) {
    const auto added = access.add();
    if (added.state == nullptr) return look;
    look.evicted = added.has_evicted &&
                   excess_of(added.evicted, rule.rate, elapsed(added.evicted, now), 0) > 0;
    state = added.state;
    // A first request has no excess. One that is held is counted later, and as if it came long
    // after the beginning of time.
    if (counted == Counted::at_once) state->last = now;
  } else {
    const std::int64_t passed = elapsed(*state, now);
    look.excess = excess_of(*state, rule.rate, passed, kRequest);
    if (look.excess > rule.burst) {
      look.outcome = Outcome::exceeds;
      return look;
    }
    if (counted == Counted::at_once) count(*state, look.excess, passed, now);
  }
  if (counted == Counted::later) ++state->holders;
  look.outcome = counted == Counted::later ? Outcome::held : Outcome::fits;
  return look;
}

std::uint64_t settle_bucket(StateTable& table, const StateTable::Key& key, const BucketRule& rule,
                            std::int64_t now) noexcept {
  auto access = table.access(key);
  State* const state = access.find();
  CHECK(state != nullptr && state->holders > 0);
  const std::int64_t passed = elapsed(*state, now);
  const std::uint64_t excess = excess_of(*state, rule.rate, passed, kRequest);
  count(*state, excess, passed, now);
  --state->holders;
  return excess;
}

void leave_bucket(StateTable& table, const StateTable::Key& key) noexcept {
  auto access = table.access(key);
  State* const state = access.find();
  CHECK(state != nullptr && state->holders > 0);
  --state->holders;
}

}  // namespace guard
