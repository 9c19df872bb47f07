#include "cli/trial_watch.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace cli {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const Sample kBefore{.server = 7,
                     .restarts = 1,
                     .responses = 1000,
                     .server_errors = 500,
                     .request_times = {{1000, 980}, {4000, 20}}};

Sample later(std::uint64_t responses, std::uint64_t errors) {
  Sample now = kBefore;
  now.responses += responses;
  now.server_errors += errors;
  return now;
}

const TrialWatch kWatch(kBefore, 0.01, 2);

TEST(TrialWatch, CountsOnlyWhatCameSince) {
  EXPECT_THAT(kWatch.judge(later(1000, 10)), IsEmpty());
  EXPECT_THAT(kWatch.judge(later(1000, 11)), HasSubstr("1.1 % of 1000 responses were 5xx"));
}

TEST(TrialWatch, WaitsForEnoughResponses) {
  EXPECT_THAT(kWatch.judge(later(19, 19)), IsEmpty());
  EXPECT_THAT(kWatch.judge(later(20, 20)), HasSubstr("100.0 %"));
}

TEST(TrialWatch, ComparesThe99thPercentile) {
  Sample now = later(1000, 0);
  now.request_times[8000] += 1000;  // before: 4 ms
  EXPECT_THAT(kWatch.judge(now), IsEmpty());
  now.request_times[9000] += 1000;
  EXPECT_THAT(kWatch.judge(now), HasSubstr("9.0 ms (before: 4.0 ms"));
}

TEST(TrialWatch, NoticesACrash) {
  Sample now = later(1000, 0);
  ++now.restarts;
  EXPECT_EQ(kWatch.judge(now), "the server process died");
}

TEST(TrialWatch, BeginsAtZeroWithAProcessThatTookOver) {
  Sample now{.server = 8, .restarts = 1, .responses = 100, .server_errors = 2, .request_times = {}};
  EXPECT_THAT(kWatch.judge(now), HasSubstr("2.0 % of 100"));
}

TEST(TrialWatch, ReadsAStatus) {
  const Sample sample = read_sample(
      R"({"pid":{"server":5},"server_restarts":2,
          "counters":{"responses_2xx":3,"responses_5xx":4},
          "request_times_us":{"buckets":[[10,1],[20,2]]}})");
  EXPECT_EQ(sample.server, 5U);
  EXPECT_EQ(sample.restarts, 2U);
  EXPECT_EQ(sample.responses, 7U);
  EXPECT_EQ(sample.server_errors, 4U);
  EXPECT_EQ(sample.request_times.at(20), 2U);
  EXPECT_EQ(read_sample("no json").responses, 0U);
}

}  // namespace
}  // namespace cli
