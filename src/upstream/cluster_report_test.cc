#include "upstream/cluster_report.h"

#include <gtest/gtest.h>

namespace upstream {
namespace {

PeerReport peer(std::string server, std::string address, PeerState state, std::uint64_t attempts) {
  return {.server = std::move(server),
          .address = std::move(address),
          .state = state,
          .active = 1,
          .idle = 2,
          .attempts = attempts,
          .failures = 1};
}

TEST(ClusterReport, AddsUpTheWorkersAndKeepsTheWorstState) {
  std::vector<ClusterReport> all;
  add(all, {{.name = "app", .peers = {peer("a", "10.0.0.1:80", PeerState::up, 5)}}});
  add(all, {{.name = "app", .peers = {peer("a", "10.0.0.1:80", PeerState::failed, 7)}},
            {.name = "app", .is_group = false, .peers = {}}});
  ASSERT_EQ(all.size(), 2U);  // a group and an address of one name are two things
  ASSERT_EQ(all[0].peers.size(), 1U);
  EXPECT_EQ(all[0].peers[0].state, PeerState::failed);
  EXPECT_EQ(all[0].peers[0].attempts, 12U);
  EXPECT_EQ(all[0].peers[0].active, 2U);
  EXPECT_EQ(all[0].peers[0].idle, 4U);
  EXPECT_EQ(all[0].peers[0].failures, 2U);
}

TEST(ClusterReport, TakesANameAsResolvedWhenOneWorkerHasResolvedIt) {
  const std::vector<ClusterReport> without{
      {.name = "app", .peers = {peer("b.example", "", PeerState::unresolved, 0)}}};
  const std::vector<ClusterReport> with{
      {.name = "app",
       .peers = {peer("b.example", "10.0.0.1:80", PeerState::up, 1),
                 peer("b.example", "10.0.0.2:80", PeerState::up, 1)}}};
  for (const bool first : {true, false}) {
    std::vector<ClusterReport> all = first ? with : without;
    add(all, first ? without : with);
    ASSERT_EQ(all.front().peers.size(), 2U);
    EXPECT_EQ(all.front().peers[0].address, "10.0.0.1:80");
  }
}

}  // namespace
}  // namespace upstream
