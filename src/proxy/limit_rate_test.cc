#include "proxy/limit_rate.h"

#include <gtest/gtest.h>

#include <chrono>
#include <limits>

namespace proxy {
namespace {

using namespace std::chrono_literals;

constexpr base::TimePoint kStart{};

TEST(RateLimit, IsNoneByDefault) {
  const RateLimit limit;
  EXPECT_FALSE(limit.limited());
  EXPECT_EQ(limit.allowance(kStart, 1U << 30), 1U << 30);
}

TEST(RateLimit, GivesASecondsWorthAtOnceAndThenTheRate) {
  RateLimit limit(1000, 0, kStart);
  EXPECT_EQ(limit.allowance(kStart, 5000), 1000U);
  limit.moved(1000);
  EXPECT_EQ(limit.allowance(kStart, 5000), 0U);
  EXPECT_EQ(limit.allowance(kStart + 100ms, 5000), 0U);  // too little to be worth a write
  EXPECT_EQ(limit.allowance(kStart + 500ms, 5000), 500U);
  EXPECT_EQ(limit.allowance(kStart + 2s, 1500), 1500U);
}

TEST(RateLimit, LetsTheFirstBytesPass) {
  RateLimit limit(1000, 10'000, kStart);
  EXPECT_EQ(limit.allowance(kStart, 20'000), 11'000U);
}

TEST(RateLimit, SaysWhenThereIsSomethingToMoveAgain) {
  for (const std::uint64_t rate : {1U, 3U, 1000U, 1U << 20}) {
    RateLimit limit(rate, 0, kStart);
    limit.moved(rate);
    const base::TimePoint next = limit.next(kStart);
    EXPECT_GT(next, kStart) << rate;
    EXPECT_GT(limit.allowance(next, 1U << 30), 0U) << rate;
    EXPECT_LE(next, kStart + 1001ms) << rate;
  }
}

TEST(RateLimit, HasNoOverflow) {
  constexpr auto kMax = std::numeric_limits<std::uint64_t>::max();
  EXPECT_FALSE(RateLimit(kMax, kMax, kStart).limited());
  RateLimit limit((std::uint64_t{1} << 50) - 1, kMax, kStart);
  EXPECT_EQ(limit.allowance(kStart + std::chrono::hours(24 * 365 * 200), 77), 77U);
  limit.moved(std::uint64_t{1} << 60);
  EXPECT_GE(limit.next(kStart), kStart);
}

}  // namespace
}  // namespace proxy
