#include "tls/record_size.h"

#include <gtest/gtest.h>

namespace tls {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;

// How many bytes leave in small records when much is to be written at `now`.
std::size_t small_part(RecordSize& size, base::TimePoint now) {
  size.begin(now);
  std::size_t total = 0;
  while (size.limit() == RecordSize::kSmall) {
    total += size.limit();
    size.add(size.limit());
  }
  return total;
}

TEST(RecordSize, BeginsSmallAndGrowsToTheLimit) {
  RecordSize size(16384, true);
  const std::size_t small = small_part(size, base::TimePoint(seconds(100)));
  EXPECT_GE(small, RecordSize::kStart);
  EXPECT_LT(small, RecordSize::kStart + RecordSize::kSmall);
  EXPECT_EQ(size.limit(), 16384U);
}

TEST(RecordSize, BeginsAnewAfterAPause) {
  RecordSize size(16384, true);
  const base::TimePoint start(seconds(100));
  static_cast<void>(small_part(size, start));
  EXPECT_EQ(small_part(size, start + seconds(1)), 0U);
  EXPECT_GT(small_part(size, start + seconds(2) + milliseconds(1)), 0U);
}

TEST(RecordSize, IsNeverAboveItsLimit) {
  RecordSize size(1024, true);
  size.begin(base::TimePoint(seconds(100)));
  EXPECT_EQ(size.limit(), 1024U);
  size.add(RecordSize::kStart);
  EXPECT_EQ(size.limit(), 1024U);
}

TEST(RecordSize, IsAlwaysTheLimitUnlessItAdapts) {
  RecordSize size(4096, false);
  size.begin(base::TimePoint(seconds(100)));
  EXPECT_EQ(size.limit(), 4096U);
}

}  // namespace
}  // namespace tls
