#include "proxy/pace.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

using namespace std::chrono_literals;

constexpr base::TimePoint kNow{1000s};
constexpr Pace::Limits kLimits{.pause = 60s, .min_rate = 100};

TEST(Pace, WithoutARateOnlyPausesAreBounded) {
  Pace pace({.pause = 60s, .min_rate = 0});
  pace.account(24h, 1);
  EXPECT_EQ(pace.patience(kNow).whole, base::kNoDeadline);
  EXPECT_EQ(pace.patience(kNow).pause, 60s);
  EXPECT_FALSE(pace.is_too_slow(24h));
}

TEST(Pace, WaitingIsTakenFromTheCreditAndBytesPayItBack) {
  Pace pace(kLimits);
  EXPECT_EQ(pace.patience(kNow).whole, kNow + 60s);
  pace.account(50s, 1);
  EXPECT_EQ(pace.patience(kNow).whole, kNow + 10s + 10ms);
  pace.account(5s, 2000);
  EXPECT_EQ(pace.patience(kNow).whole, kNow + 25s + 10ms);
  EXPECT_FALSE(pace.is_too_slow(25s));
  EXPECT_TRUE(pace.is_too_slow(25s + 10ms));
}

TEST(Pace, SilenceIsNotSlowness) {
  const Pace pace(kLimits);
  EXPECT_FALSE(pace.is_too_slow(60s));
}

TEST(Pace, NobodySavesUpMoreThanOnePause) {
  Pace pace(kLimits);
  pace.account(1s, 1'000'000'000);
  EXPECT_EQ(pace.patience(kNow).whole, kNow + 60s);
}

TEST(Pace, AClientAtTheRateNeverFallsBehind) {
  Pace pace(kLimits);
  for (int i = 0; i < 10'000; ++i) {
    ASSERT_FALSE(pace.is_too_slow(1s));
    pace.account(1s, 100);
  }
  EXPECT_EQ(pace.patience(kNow).whole, kNow + 60s);
}

TEST(Pace, AClientBelowTheRateFallsBehindHoweverShortItsPauses) {
  Pace pace(kLimits);
  int steps = 0;
  for (; !pace.is_too_slow(1s) && steps < 1000; ++steps) pace.account(1s, 50);
  EXPECT_GE(steps, 110);
  EXPECT_LE(steps, 120);
}

TEST(Pace, ALargePieceMayTakeAsLongAsTheRateAllows) {
  const Pace pace(kLimits);
  EXPECT_EQ(pace.patience(kNow, 65'536).whole, kNow + 60s + 655'360ms);
  EXPECT_EQ(pace.patience(kNow, 65'536).pause, 60s);
}

}  // namespace
}  // namespace proxy
