#include "guard/leaky_bucket.h"

#include <gtest/gtest.h>

namespace guard {
namespace {

using Outcome = BucketLook::Outcome;

class LeakyBucket : public ::testing::Test {
 protected:
  BucketLook look(std::int64_t now, Counted counted = Counted::at_once) {
    return look_at_bucket(table_, key_, rule_, now, counted);
  }
  std::uint64_t settle(std::int64_t now) { return settle_bucket(table_, key_, rule_, now); }

  StateTable table_{64 * 16};
  StateTable::Key key_ = table_.key_of("client");
  BucketRule rule_{.rate = 10'000, .burst = 2000};  // 10r/s, burst=2
};

TEST_F(LeakyBucket, TakesAFirstRequestWithoutExcess) {
  EXPECT_EQ(look(1000).outcome, Outcome::fits);
  EXPECT_EQ(look(1000).excess, 1000U);
}

TEST_F(LeakyBucket, AddsAThousandForEachRequestAndRefusesBeyondTheBurst) {
  for (const unsigned excess : {0U, 1000U, 2000U}) {
    const BucketLook found = look(1000);
    EXPECT_EQ(found.outcome, Outcome::fits);
    EXPECT_EQ(found.excess, excess);
  }
  EXPECT_EQ(look(1000).outcome, Outcome::exceeds);
  EXPECT_EQ(look(1000).excess, 3000U);  // a refused one does not count
}

TEST_F(LeakyBucket, LeaksByTheMillisecond) {
  for (int i = 0; i < 3; ++i) EXPECT_EQ(look(1000).outcome, Outcome::fits);
  EXPECT_EQ(look(1099).excess, 3000U - 990U);
  EXPECT_EQ(look(1099).outcome, Outcome::exceeds);
  EXPECT_EQ(look(1100).outcome, Outcome::fits);
  EXPECT_EQ(look(10'000).excess, 0U);
}

TEST_F(LeakyBucket, TakesTimeThatGoesBackForNoTime) {
  EXPECT_EQ(look(5000).excess, 0U);
  EXPECT_EQ(look(4990).excess, 1000U);
  EXPECT_EQ(look(5000).excess, 2000U);
}

TEST_F(LeakyBucket, CountsAHeldRequestOnlyWhenItIsSettled) {
  EXPECT_EQ(look(1000, Counted::later).outcome, Outcome::held);
  EXPECT_EQ(settle(1000), 0U);
  EXPECT_EQ(look(1000, Counted::later).excess, 1000U);
  leave_bucket(table_, key_);
  EXPECT_EQ(look(1000, Counted::later).excess, 1000U);
  EXPECT_EQ(settle(1000), 1000U);
  EXPECT_EQ(look(1000).excess, 2000U);
}

TEST_F(LeakyBucket, SaysWhenAnotherKeyLostItsExcess) {
  StateTable small(64);
  const auto ask = [&](std::string_view key, std::int64_t now) {
    return look_at_bucket(small, small.key_of(key), rule_, now, Counted::at_once);
  };
  static_cast<void>(ask("a", 1000));
  EXPECT_FALSE(ask("b", 1000).evicted);  // "a" had no excess
  static_cast<void>(ask("b", 1000));
  EXPECT_TRUE(ask("c", 1050).evicted);
}

TEST_F(LeakyBucket, HasNoRoomWhereAllIsHeld) {
  StateTable small(64);
  const auto ask = [&](std::string_view key) {
    return look_at_bucket(small, small.key_of(key), rule_, 1000, Counted::later);
  };
  EXPECT_EQ(ask("a").outcome, Outcome::held);
  EXPECT_EQ(ask("b").outcome, Outcome::no_room);
}

TEST_F(LeakyBucket, StandsTheLargestNumbers) {
  rule_ = {.rate = 1'000'000'000'000, .burst = 4'294'967'295'000};
  EXPECT_EQ(look(0).outcome, Outcome::fits);
  EXPECT_EQ(look(0).outcome, Outcome::fits);
  EXPECT_EQ(look(std::int64_t{1} << 50).excess, 0U);
}

}  // namespace
}  // namespace guard
