#include "observe/histogram.h"

#include <gtest/gtest.h>

namespace observe {
namespace {

TEST(Histogram, KnowsNothingWithoutValues) {
  const Histogram histogram;
  EXPECT_EQ(histogram.count(), 0U);
  EXPECT_EQ(histogram.percentile(0.99), 0U);
  EXPECT_TRUE(histogram.buckets().empty());
}

TEST(Histogram, IsExactForSmallValues) {
  Histogram histogram;
  for (std::uint64_t value = 0; value < 32; ++value) histogram.add(value);
  EXPECT_EQ(histogram.percentile(0.5), 15U);
  EXPECT_EQ(histogram.percentile(1), 31U);
  EXPECT_EQ(histogram.percentile(0), 0U);
}

TEST(Histogram, IsASixteenthOffAtMost) {
  for (std::uint64_t value = 1; value < Histogram::kLimit; value = value * 9 / 8 + 1) {
    Histogram histogram;
    histogram.add(value);
    const std::uint64_t told = histogram.percentile(0.5);
    EXPECT_GE(told, value);
    EXPECT_LE(told - value, value / 16) << value;
  }
}

TEST(Histogram, PutsEveryValueInABucketOfItsOwnRange) {
  std::uint64_t last = 0;
  for (std::uint64_t value = 0; value < 5000; ++value) {
    Histogram histogram;
    histogram.add(value);
    const std::uint64_t told = histogram.percentile(1);
    EXPECT_GE(told, last);
    EXPECT_GE(told, value);
    last = told;
  }
}

TEST(Histogram, HoldsWhateverIsTooLarge) {
  Histogram histogram;
  histogram.add(Histogram::kLimit);
  histogram.add(~std::uint64_t{0});
  EXPECT_EQ(histogram.percentile(0.5), Histogram::kLimit - 1);
  EXPECT_EQ(histogram.count(), 2U);
}

TEST(Histogram, TellsPercentiles) {
  Histogram histogram;
  for (int i = 0; i < 98; ++i) histogram.add(1);
  histogram.add(20);
  histogram.add(30);
  EXPECT_EQ(histogram.percentile(0.9), 1U);
  EXPECT_EQ(histogram.percentile(0.99), 20U);
  EXPECT_EQ(histogram.percentile(0.999), 30U);
}

TEST(Histogram, AddsUp) {
  Histogram one;
  Histogram two;
  one.add(3);
  two.add(3);
  two.add(40);
  one.add(two);
  const std::vector<std::pair<std::uint64_t, std::uint64_t>> expected{{3, 2}, {41, 1}};
  EXPECT_EQ(one.buckets(), expected);
}

}  // namespace
}  // namespace observe
