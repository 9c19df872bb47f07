#include "observe/losses.h"

#include <gtest/gtest.h>

namespace observe {
namespace {

using namespace std::chrono_literals;

constexpr base::TimePoint kStart{};

TEST(Losses, TellAnEpisodeWhenItBeginsAndWhenItIsOver) {
  Losses losses;
  EXPECT_EQ(losses.recover(kStart), 0U);
  EXPECT_TRUE(losses.lose(2, kStart));
  EXPECT_FALSE(losses.lose(3, kStart + 5s));
  EXPECT_TRUE(losses.failing());
  EXPECT_EQ(losses.recover(kStart + 5s + Losses::kSteady), 5U);
  EXPECT_FALSE(losses.failing());
  EXPECT_EQ(losses.recover(kStart + 20s), 0U);
  EXPECT_TRUE(losses.lose(1, kStart + 20s)) << "another one";
}

TEST(Losses, AreNotOverWhileTheyComeAndGo) {
  Losses losses;
  EXPECT_TRUE(losses.lose(1, kStart));
  for (int i = 1; i < 10; ++i) {
    EXPECT_EQ(losses.recover(kStart + i * 500ms), 0U);
    EXPECT_FALSE(losses.lose(1, kStart + i * 500ms));
  }
  EXPECT_EQ(losses.recover(kStart + 5500ms), 10U);
}

}  // namespace
}  // namespace observe
