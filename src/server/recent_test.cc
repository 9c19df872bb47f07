#include "server/recent.h"

#include <gtest/gtest.h>

namespace server {
namespace {

using namespace std::chrono_literals;

std::vector<observe::Reading> reading(std::uint64_t value) {
  return {{.name = "x", .help = "", .value = value}};
}

TEST(Recent, TellsEverythingBeforeThereIsASample) {
  const Recent recent;
  EXPECT_EQ(recent.since(reading(7), {}).front(), 7U);
}

TEST(Recent, TellsTheRiseSinceTheFirstSample) {
  Recent recent;
  const base::TimePoint start{1h};
  recent.sample(reading(5), start);
  EXPECT_EQ(recent.since(reading(5), start).front(), 0U);
  EXPECT_EQ(recent.since(reading(9), start + 10s).front(), 4U);
}

TEST(Recent, ForgetsWhatIsLongAgo) {
  Recent recent;
  const base::TimePoint start{1h};
  recent.sample(reading(0), start);
  for (int i = 1; i <= 40; ++i) recent.sample(reading(100), start + i * Recent::kPause);
  EXPECT_EQ(recent.since(reading(101), start + 20min).front(), 1U);
}

TEST(Recent, CountsAGaugeThatFellAsNothing) {
  Recent recent;
  recent.sample(reading(5), {});
  EXPECT_EQ(recent.since(reading(2), {}).front(), 0U);
}

}  // namespace
}  // namespace server
