#include "server/pressure.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace server {
namespace {

using namespace std::chrono_literals;
using observe::Counter;
using ::testing::HasSubstr;
using Shortage = Pressure::Shortage;
using Stage = Pressure::Stage;

const base::TimePoint kStart = base::TimePoint(1h);

TEST(DescriptorMarks, KeepAnEighthInReserve) {
  const auto marks = DescriptorMarks::of_limit(1024);
  EXPECT_EQ(marks.exhausted, 896U);
  EXPECT_EQ(marks.scarce, 784U);
  EXPECT_EQ(marks.judge(783), Supply::plenty);
  EXPECT_EQ(marks.judge(784), Supply::scarce);
  EXPECT_EQ(marks.judge(895), Supply::scarce);
  EXPECT_EQ(marks.judge(896), Supply::exhausted);
}

TEST(DescriptorMarks, KeepAReserveThatIsNeitherTinyNorHuge) {
  EXPECT_EQ(DescriptorMarks::of_limit(64).exhausted, 48U);
  EXPECT_EQ(DescriptorMarks::of_limit(1'000'000).exhausted, 1'000'000U - 1024U);
  EXPECT_EQ(DescriptorMarks::of_limit(20).exhausted, 10U);
  EXPECT_EQ(DescriptorMarks::of_limit(0).judge(0), Supply::exhausted);
}

TEST(JudgeMemory, IsScarceInTheLastEighth) {
  EXPECT_EQ(judge_memory(87, 100), Supply::plenty);
  EXPECT_EQ(judge_memory(88, 100), Supply::scarce);
  EXPECT_EQ(judge_memory(100, 100), Supply::exhausted);
  EXPECT_EQ(judge_memory(1'000'000, 0), Supply::plenty) << "0 is no limit";
}

class PressureTest : public ::testing::Test {
 protected:
  observe::CounterLayout layout;
  observe::Counters first{layout};
  observe::Counters second{layout};
  Pressure pressure{1024};
};

TEST_F(PressureTest, CountsADescriptorByItsNumber) {
  EXPECT_EQ(pressure.judge(10), Supply::plenty);
  EXPECT_EQ(pressure.judge(782), Supply::plenty);
  EXPECT_EQ(pressure.judge(783), Supply::scarce);
  EXPECT_EQ(pressure.judge(895), Supply::exhausted);
}

TEST_F(PressureTest, CountsAClientWithoutABackendTwice) {
  const Pressure::Member a{.counters = first, .shed = [](Pressure::Shortage) {}};
  const Pressure::Member b{.counters = second, .shed = [](Pressure::Shortage) {}};
  pressure.join(a);
  pressure.join(b);
  first.add(Counter::connections_active, 300);
  second.add(Counter::connections_active, 300);
  EXPECT_EQ(pressure.judge(599), Supply::exhausted) << "each of them may need a backend yet";
  second.add(Counter::connections_idle, 300);
  first.add(Counter::upstream_active, 150);
  EXPECT_EQ(pressure.judge(599), Supply::plenty);
  pressure.leave(a);
  pressure.leave(b);
}

TEST_F(PressureTest, SurvivesCountersThatAreReadWhileTheyChange) {
  const Pressure::Member a{.counters = first, .shed = [](Pressure::Shortage) {}};
  pressure.join(a);
  first.add(Counter::connections_idle, 5);  // not active yet, in the reader's eyes
  EXPECT_EQ(pressure.judge(500), Supply::plenty);
  pressure.leave(a);
}

TEST_F(PressureTest, AsksEveryOtherMember) {
  int asked_a = 0;
  int asked_b = 0;
  const Pressure::Member a{.counters = first, .shed = [&](Pressure::Shortage) { ++asked_a; }};
  const Pressure::Member b{.counters = second, .shed = [&](Pressure::Shortage) { ++asked_b; }};
  pressure.join(a);
  pressure.join(b);
  pressure.shed(&a, Pressure::Shortage::descriptors);
  EXPECT_EQ(asked_a, 0);
  EXPECT_EQ(asked_b, 1);
  pressure.leave(b);
  pressure.shed(nullptr, Pressure::Shortage::memory);
  EXPECT_EQ(asked_a, 1);
  EXPECT_EQ(asked_b, 1);
  pressure.leave(a);
}

TEST_F(PressureTest, TellsAShortageOnceUntilItHasBeenAway) {
  EXPECT_FALSE(pressure.is_recent(Shortage::memory, kStart));
  EXPECT_TRUE(pressure.begins_episode(Shortage::memory, Stage::closing_idle, kStart));
  EXPECT_FALSE(pressure.begins_episode(Shortage::memory, Stage::closing_idle, kStart + 20s));
  EXPECT_TRUE(pressure.begins_episode(Shortage::memory, Stage::waiting, kStart + 20s));
  EXPECT_TRUE(pressure.begins_episode(Shortage::descriptors, Stage::waiting, kStart + 20s));
  EXPECT_FALSE(pressure.begins_episode(Shortage::memory, Stage::closing_idle, kStart + 45s))
      << "it was met 25 seconds ago";
  EXPECT_TRUE(pressure.is_recent(Shortage::memory, kStart + 60s));
  EXPECT_TRUE(pressure.begins_episode(Shortage::memory, Stage::closing_idle, kStart + 90s));
}

TEST_F(PressureTest, SaysWhatIsShortAndWhatToRaise) {
  EXPECT_THAT(pressure.describe(Shortage::descriptors, Stage::waiting),
              HasSubstr("(the limit is 1024)"));
  EXPECT_THAT(pressure.describe(Shortage::descriptors, Stage::waiting),
              HasSubstr("raise worker_rlimit_nofile"));
  pressure.set_memory_limit(std::uint64_t{100} << 20);
  EXPECT_EQ(pressure.set_memory_used(std::uint64_t{90} << 20), Supply::scarce);
  EXPECT_EQ(pressure.memory(), Supply::scarce);
  EXPECT_THAT(pressure.describe(Shortage::memory, Stage::closing_idle),
              HasSubstr("(90 MB, memory_limit is 100 MB)"));
}

}  // namespace
}  // namespace server
