#include "cli/request_times.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

TEST(RequestTimes, PercentilesAreTheTimesThatTheShareDidNotExceed) {
  const RequestTimes times{{100, 50}, {200, 49}, {5000, 1}};
  EXPECT_EQ(count(times), 100U);
  EXPECT_EQ(percentile(times, 0.5), 100U);
  EXPECT_EQ(percentile(times, 0.51), 200U);
  EXPECT_EQ(percentile(times, 0.99), 200U);
  EXPECT_EQ(percentile(times, 1), 5000U);
  EXPECT_EQ(percentile({}, 0.99), 0U);
}

TEST(RequestTimes, WhatCameBetweenTwoLooksIsNeverNegative) {
  const RequestTimes before{{100, 5}, {300, 7}};
  EXPECT_EQ(difference({{100, 6}, {200, 2}, {300, 7}}, before), (RequestTimes{{100, 1}, {200, 2}}));
  EXPECT_EQ(difference({{100, 1}}, before), RequestTimes{});
}

}  // namespace
}  // namespace cli
