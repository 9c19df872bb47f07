#include "proxy/traffic.h"

#include <gtest/gtest.h>

namespace proxy {
namespace {

TEST(Traffic, CountsByClassAndBytes) {
  Traffic traffic;
  traffic.count(200, 10, 100);
  traffic.count(499, 1, 0);
  traffic.count(0, 0, 0);    // ended without a status
  traffic.count(999, 0, 5);  // `return 999`
  EXPECT_EQ(traffic.requests, 4U);
  EXPECT_EQ(traffic.responses, (std::array<std::uint64_t, 5>{1, 1, 0, 1, 1}));
  EXPECT_EQ(traffic.bytes_in, 11U);
  EXPECT_EQ(traffic.bytes_out, 105U);
}

TEST(TrafficTable, GoesOnWherePlacesRemain) {
  TrafficTable before(2);
  before.at(0).count(200, 1, 1);
  before.at(1).count(404, 1, 1);
  TrafficTable after(3);
  const std::vector<std::size_t> former{1, TrafficTable::kNew, 7};
  after.continue_from(before, former);
  EXPECT_EQ(after.at(0).requests, 1U);
  EXPECT_EQ(after.at(1).requests, 0U);
  EXPECT_EQ(after.at(2).requests, 0U);
  before.at(1).count(200, 1, 1);  // one that was under way
  EXPECT_EQ(after.copy()[0].requests, 2U);
}

}  // namespace
}  // namespace proxy
