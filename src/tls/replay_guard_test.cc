#include "tls/replay_guard.h"

#include <gtest/gtest.h>

namespace tls {
namespace {

using std::chrono::seconds;
using Verdict = ReplayGuard::Verdict;

const base::TimePoint kStart(seconds(1000));

ReplayGuard::Random random(std::uint8_t mark) {
  ReplayGuard::Random bytes{};
  bytes.fill(mark);
  return bytes;
}

TEST(ReplayGuard, TakesEachRandomOnce) {
  ReplayGuard guard;
  EXPECT_EQ(guard.check(random(1), kStart), Verdict::fresh);
  EXPECT_EQ(guard.check(random(2), kStart), Verdict::fresh);
  EXPECT_EQ(guard.check(random(1), kStart), Verdict::replayed);
}

TEST(ReplayGuard, RemembersForAWholeWindowWhereverItBegan) {
  for (int second = 0; second <= 60; ++second) {
    ReplayGuard guard;
    EXPECT_EQ(guard.check(random(1), kStart), Verdict::fresh);
    const base::TimePoint seen = kStart + seconds(second);
    EXPECT_EQ(guard.check(random(2), seen), Verdict::fresh);
    EXPECT_EQ(guard.check(random(2), seen + ReplayGuard::kWindow - seconds(1)), Verdict::replayed);
  }
}

TEST(ReplayGuard, ForgetsInTheEnd) {
  ReplayGuard guard(1);
  EXPECT_EQ(guard.check(random(1), kStart), Verdict::fresh);
  EXPECT_EQ(guard.check(random(1), kStart + 2 * ReplayGuard::kWindow), Verdict::fresh);
}

TEST(ReplayGuard, TakesNothingWhenItIsFull) {
  ReplayGuard guard(1);
  EXPECT_EQ(guard.check(random(1), kStart), Verdict::fresh);
  EXPECT_EQ(guard.check(random(2), kStart), Verdict::full);
  EXPECT_EQ(guard.check(random(1), kStart), Verdict::replayed);
  EXPECT_EQ(guard.check(random(2), kStart + ReplayGuard::kWindow), Verdict::fresh);
}

TEST(ReplayGuard, IsMarkedDifferentlyFromOthers) {
  EXPECT_NE(ReplayGuard().mark(), ReplayGuard().mark());
}

}  // namespace
}  // namespace tls
