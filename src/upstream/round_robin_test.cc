// nginx's weighted round robin, pick by pick, and its accounting of failures.
#include "upstream/round_robin.h"

#include <gtest/gtest.h>

#include <chrono>
#include <string>
#include <vector>

#include "io/testing/fake_clock.h"

namespace upstream {
namespace {

using namespace std::chrono_literals;

struct Group {
  io::testing::FakeClock clock;
  PeerGroup peers;
  RoundRobinBalancer balancer;

  explicit Group(const std::vector<std::int64_t>& weights) {
    for (const std::int64_t weight : weights) {
      auto peer = std::make_unique<Peer>();
      peer->id = static_cast<std::uint32_t>(peers.peers.size() + 1);
      peer->name = std::string(1, static_cast<char>('a' + peers.peers.size()));
      peer->weight = peer->effective_weight = weight;
      peer->fail_timeout = 10s;
      peers.peers.push_back(std::move(peer));
    }
    peers.alone = weights.size() == 1;
  }
  Peer& operator[](std::size_t i) { return *peers.peers.at(i); }
  std::string pick(const Attempts& attempts = {}) {
    const Peer* peer = balancer.pick(peers, attempts, clock.now());
    return peer != nullptr ? peer->name : "-";
  }
  std::string picks(int count) {
    std::string names;
    for (int i = 0; i < count; ++i) names += pick();
    return names;
  }
  bool fail(std::size_t i) { return report(peers, (*this)[i], Outcome::failure, clock.now()); }
  bool succeed(std::size_t i) { return report(peers, (*this)[i], Outcome::success, clock.now()); }
};

TEST(RoundRobin, SpreadsTheTurnsOfTheHeavyPeer) {
  Group group({5, 1, 1});
  EXPECT_EQ(group.picks(7), "aabacaa");
  EXPECT_EQ(group.picks(7), "aabacaa");
}

TEST(RoundRobin, AlternatesBetweenEqualPeers) {
  Group group({1, 1, 1});
  EXPECT_EQ(group.picks(6), "abcabc");
}

TEST(RoundRobin, GivesEachPeerItsShareExactly) {
  Group group({3, 2, 5});
  const std::string names = group.picks(100);
  EXPECT_EQ(std::ranges::count(names, 'a'), 30);
  EXPECT_EQ(std::ranges::count(names, 'b'), 20);
  EXPECT_EQ(std::ranges::count(names, 'c'), 50);
}

TEST(RoundRobin, LeavesOutPeersThatAreDownOrFull) {
  Group group({1, 1, 1});
  group[0].down = true;
  group[1].max_conns = 2;
  group[1].in_use = 2;
  EXPECT_EQ(group.picks(3), "ccc");
  group[1].in_use = 1;
  EXPECT_EQ(group.picks(4), "bcbc");
}

TEST(RoundRobin, LeavesOutAFailedPeerUntilItsTimeoutHasPassed) {
  Group group({1, 1});
  EXPECT_EQ(group.pick(), "a");
  EXPECT_TRUE(group.fail(0));
  EXPECT_EQ(group.picks(3), "bbb");
  group.clock.advance(10s);
  EXPECT_EQ(group.picks(2), "bb");
  group.clock.advance(1ms);
  EXPECT_EQ(group.picks(3), "bba");  // it lost its turns and its weight, and regains both
}

TEST(RoundRobin, GivesAFailedPeerOneAttemptAndWaitsForItsOutcome) {
  Group group({1, 1});
  EXPECT_EQ(group.pick(), "a");
  group.fail(0);
  group.clock.advance(11s);
  std::string names = group.picks(4);
  EXPECT_EQ(std::ranges::count(names, 'a'), 1) << names;
  EXPECT_FALSE(group.succeed(0));
  names = group.picks(4);
  EXPECT_EQ(std::ranges::count(names, 'a'), 2) << names;
}

TEST(RoundRobin, DisablesAPeerAtItsMaxFailsOnly) {
  Group group({1, 1});
  group[0].max_fails = 3;
  EXPECT_FALSE(group.fail(0));
  EXPECT_FALSE(group.fail(0));
  EXPECT_NE(group.picks(4).find('a'), std::string::npos);
  EXPECT_TRUE(group.fail(0));
  EXPECT_EQ(group.picks(4), "bbbb");
}

TEST(RoundRobin, DoesNotForgetAFailureByASuccessThatBeganBefore) {
  Group group({1, 1});
  group[0].max_fails = 2;
  group.fail(0);
  group.succeed(0);
  EXPECT_EQ(group[0].fails, 1U);
}

TEST(RoundRobin, NeverDisablesAPeerWithoutMaxFails) {
  Group group({1, 1});
  group[0].max_fails = 0;
  for (int i = 0; i < 50; ++i) EXPECT_FALSE(group.fail(0));
  EXPECT_EQ(group.picks(4), "abab");
}

TEST(RoundRobin, LowersTheWeightOfAFailingPeerAndLetsItRecoverPickByPick) {
  Group group({4, 4});
  group[0].max_fails = 2;
  group.fail(0);
  EXPECT_EQ(group[0].effective_weight, 2);
  static_cast<void>(group.pick());
  EXPECT_EQ(group[0].effective_weight, 3);
  static_cast<void>(group.picks(5));
  EXPECT_EQ(group[0].effective_weight, 4);
}

TEST(RoundRobin, IgnoresFailuresOfTheOnlyPeer) {
  Group group({1});
  for (int i = 0; i < 5; ++i) {
    EXPECT_EQ(group.pick(), "a");
    EXPECT_FALSE(group.fail(0));
  }
}

}  // namespace
}  // namespace upstream
