// Leases on shared connections, with a connector of the test's own.
#include "upstream/shared_connection.h"

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <deque>
#include <optional>
#include <string>

#include "async/scope.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"
#include "upstream/cluster.h"

namespace upstream {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using namespace std::string_view_literals;

/// Gives pipes once it is told to.
class SlowConnector final : public Connector {
 public:
  explicit SlowConnector(io::EventLoop& loop) : loop_(loop) {}
  async::Task<base::Result<std::unique_ptr<io::Stream>>> connect(base::Address /*peer*/,
                                                                 base::Deadline deadline) override {
    ++asked;
    auto [gate, key] = io::testing::make_pipe(loop_);
    if (!open) {
      keys.push_back(std::move(key));
      CO_TRY_VOID(co_await io::ready(*gate, io::Direction::read, deadline, io::Waiting::busy));
    }
    if (refuses) co_return base::fail(ErrorCode::refused);
    auto [ours, backend] = io::testing::make_pipe(loop_);
    backends.push_back(std::move(backend));
    co_return std::move(ours);
  }
  async::Task<std::expected<Transport, HandshakeFailure>> secure(std::unique_ptr<io::Stream> plain,
                                                                 TlsTarget, std::string,
                                                                 base::Deadline) override {
    co_return Transport{.stream = std::move(plain)};
  }

  int asked = 0;
  bool open = true;
  bool refuses = false;
  std::deque<std::unique_ptr<io::Stream>> keys;
  std::deque<std::unique_ptr<io::Stream>> backends;

 private:
  io::EventLoop& loop_;
};

class NoResolver final : public io::Resolvers {
 public:
  std::shared_ptr<io::Resolver> find(const io::DnsOptions&) override { return nullptr; }
};

struct World {
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  async::Scope background;
  async::Scope scope;
  SlowConnector connector{loop};
  NoResolver resolvers;
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  http::h2::SharedBudget budget;
  Http2Terms terms;
  std::unique_ptr<Cluster> cluster;

  explicit World(const KeepAlive& keep_alive = {}) {
    auto spec = std::make_shared<ClusterSpec>();
    spec->name = "backend";
    spec->endpoints = {*parse_endpoint("10.0.0.1"), *parse_endpoint("10.0.0.2")};
    spec->endpoints[1].backup = true;
    spec->keep_alive = keep_alive;
    cluster = std::make_unique<Cluster>(
        std::move(spec), Surroundings{loop, resolvers, connector, counters, &background, &budget});
  }
  ~World() {
    scope.request_stop();
    background.request_stop();
    loop.run_until_idle();
  }

  struct Asking {
    Attempts attempts;
    async::Scope scope;
    std::optional<Acquired> acquired;
    [[nodiscard]] bool has_lease() const { return acquired && acquired->has_value(); }
  };
  async::Task<void> run(Asking* asking) {
    asking->acquired.emplace(co_await cluster->acquire(
        &asking->attempts, {.connect_timeout = 5s, .http2 = true, .http2_terms = &terms}));
  }
  void ask(Asking& asking) {
    asking.scope.spawn(run(&asking));
    loop.run_until_idle();
  }
  /// The newest backend says how many requests it takes at a time.
  void settle(char most = 100) {
    std::string settings("\0\0\6\4\0\0\0\0\0\0\3\0\0\0"sv);
    settings += most;
    const iovec piece = io::piece_of(settings);
    ASSERT_TRUE(connector.backends.back()->try_write({&piece, 1}));
    loop.run_until_idle();
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.run_until_idle();
    loop.run_until_idle();
  }
};

TEST(SharedConnection, OneConnectsAndAllWhoWaitShareIt) {
  World world;
  world.connector.open = false;
  std::array<World::Asking, 3> asking;
  for (auto& each : asking) world.ask(each);
  EXPECT_EQ(world.connector.asked, 1);
  world.connector.keys.front()->shutdown_write();
  world.loop.run_until_idle();
  EXPECT_TRUE(asking[0].has_lease());
  EXPECT_FALSE(asking[1].acquired) << "the backend has not said how many it takes";
  world.settle();
  EXPECT_TRUE(asking[1].has_lease() && asking[2].has_lease());
  EXPECT_TRUE((*asking[1].acquired)->is_shared());
  EXPECT_EQ(world.connector.asked, 1);
  EXPECT_EQ(world.cluster->shared_connections(), 1U);
}

TEST(SharedConnection, AFailureIsEverybodysAndCountedOnce) {
  World world;
  world.connector.open = false;
  world.connector.refuses = true;
  std::array<World::Asking, 3> asking;
  for (auto& each : asking) world.ask(each);
  world.connector.keys.front()->shutdown_write();
  world.loop.run_until_idle();
  for (const auto& each : asking) {
    ASSERT_TRUE(each.acquired && !each.has_lease());
    EXPECT_EQ(each.acquired->error().error.code, ErrorCode::refused);
  }
  EXPECT_EQ(world.cluster->primaries().peers.front()->fails, 1U);
}

TEST(SharedConnection, AnotherConnectsWhenTheFirstGivesUp) {
  World world;
  world.connector.open = false;
  std::array<World::Asking, 2> asking;
  for (auto& each : asking) world.ask(each);
  asking[0].scope.request_stop();
  world.loop.run_until_idle();
  EXPECT_EQ(world.connector.asked, 2);
  world.connector.keys.back()->shutdown_write();
  world.loop.run_until_idle();
  EXPECT_TRUE(asking[1].has_lease());
}

TEST(SharedConnection, AFullConnectionHasAnotherBesideIt) {
  World world;
  std::array<World::Asking, 3> asking;
  world.ask(asking[0]);
  world.settle(2);
  world.ask(asking[1]);
  EXPECT_EQ(world.connector.asked, 1);
  world.ask(asking[2]);
  EXPECT_EQ(world.connector.asked, 2);
  EXPECT_TRUE(asking[2].has_lease());
}

TEST(SharedConnection, WhoWaitedForTheSettingsConnectsIfTheyLeaveNoRoom) {
  World world;
  std::array<World::Asking, 5> asking;
  for (auto& each : asking) world.ask(each);
  EXPECT_EQ(world.connector.asked, 1);
  world.settle(2);
  EXPECT_EQ(world.connector.asked, 2);
  world.settle(2);
  EXPECT_EQ(world.connector.asked, 3);
  for (const auto& each : asking) EXPECT_TRUE(each.has_lease());
}

TEST(SharedConnection, APlaceThatBecomesFreeIsForWhoWaits) {
  World world;
  std::deque<World::Asking> holding(16);
  for (auto& each : holding) {
    world.ask(each);
    world.settle(1);
  }
  EXPECT_EQ(world.cluster->shared_connections(), 16U);
  World::Asking waiting;
  world.ask(waiting);
  EXPECT_FALSE(waiting.acquired);
  EXPECT_EQ(world.connector.asked, 16) << "there is an end to it";
  (*holding[3].acquired)->release_for_reuse();
  world.loop.run_until_idle();
  EXPECT_TRUE(waiting.has_lease());
  World::Asking patient;
  world.ask(patient);
  world.pass(6s);
  ASSERT_TRUE(patient.acquired && !patient.has_lease());
  EXPECT_EQ(patient.acquired->error().error.code, ErrorCode::timed_out);
  EXPECT_EQ(world.cluster->primaries().peers.front()->fails, 0U) << "it works";
}

TEST(SharedConnection, HasNoMoreRequestsThanItMayAndNoMoreBesideIt) {
  World world;
  world.terms.max_connections = 2;
  world.terms.limits.max_streams = 3;
  std::deque<World::Asking> asking(7);
  for (auto& each : asking) {
    world.ask(each);
    world.settle();
  }
  EXPECT_EQ(world.connector.asked, 2);
  for (std::size_t i = 0; i < 6; ++i) EXPECT_TRUE(asking[i].has_lease());
  EXPECT_FALSE(asking[6].acquired);
  EXPECT_GE(world.counters.get(observe::Counter::upstream_h2_waits), 1U);
  (*asking[0].acquired)->release_for_reuse();
  world.loop.run_until_idle();
  EXPECT_TRUE(asking[6].has_lease());
}

TEST(SharedConnection, BeyondTheSharedBudgetNobodyIsAsked) {
  World world;
  world.budget = {.limit = 100, .used = 101};
  World::Asking asking;
  world.ask(asking);
  ASSERT_TRUE(asking.acquired && !asking.has_lease());
  EXPECT_EQ(asking.acquired->error().error.code, ErrorCode::exhausted);
  EXPECT_NE(asking.acquired->error().sentence.find("http2_max_total_memory"), std::string::npos);
  EXPECT_EQ(world.counters.get(observe::Counter::limit_h2_memory), 1U);
  EXPECT_EQ(world.connector.asked, 0);
  EXPECT_EQ(world.cluster->primaries().peers.front()->fails, 0U) << "it is not to blame";
  world.budget.used = 0;
  World::Asking again;
  world.ask(again);
  EXPECT_TRUE(again.has_lease());
}

TEST(SharedConnection, IsUsedAgainUntilItsTimeIsOver) {
  World world({.idle_timeout = 10s});
  for (int i = 0; i < 2; ++i) {
    World::Asking asking;
    world.ask(asking);
    if (i == 0) world.settle();
    ASSERT_TRUE(asking.has_lease());
    EXPECT_EQ((*asking.acquired)->reused(), i == 1);
    (*asking.acquired)->release_for_reuse();
  }
  EXPECT_EQ(world.cluster->idle_connections(), 1U);
  world.pass(11s);
  EXPECT_EQ(world.cluster->shared_connections(), 0U);
  EXPECT_EQ(world.background.running(), 0U);
}

TEST(SharedConnection, EndsAfterItsLastLeaseWhenTheClusterDrains) {
  World world;
  World::Asking asking;
  world.ask(asking);
  world.settle();
  world.cluster->drain();
  world.loop.run_until_idle();
  EXPECT_EQ(world.background.running(), 1U);
  (*asking.acquired)->close();
  world.loop.run_until_idle();
  EXPECT_EQ(world.background.running(), 0U);
}

TEST(SharedConnection, WhoWaitsAtAReloadConnectsAnew) {
  World world;
  std::array<World::Asking, 3> asking;
  for (auto& each : asking) world.ask(each);
  EXPECT_TRUE(asking[0].has_lease());
  EXPECT_FALSE(asking[1].acquired) << "it waits for the first one's SETTINGS";
  world.cluster->drain();
  world.loop.run_until_idle();
  EXPECT_TRUE(asking[1].has_lease() && asking[2].has_lease());
  EXPECT_EQ(world.connector.asked, 3) << "none is shared any more";
  for (auto& each : asking) (*each.acquired)->close();
  world.loop.run_until_idle();
  EXPECT_EQ(world.background.running(), 0U);
}

TEST(SharedConnection, WhoWaitsForAPlaceAtAReloadConnectsAnew) {
  World world;
  std::deque<World::Asking> holding(16);
  for (auto& each : holding) {
    world.ask(each);
    world.settle(1);
  }
  World::Asking waiting;
  world.ask(waiting);
  EXPECT_FALSE(waiting.acquired);
  world.cluster->drain();
  world.loop.run_until_idle();
  EXPECT_TRUE(waiting.has_lease());
  for (auto& each : holding) (*each.acquired)->close();
}

TEST(SharedConnection, EndsWithItsCluster) {
  World world;
  {
    World::Asking asking;
    world.ask(asking);
    world.settle();
  }
  world.cluster.reset();
  world.loop.run_until_idle();
  EXPECT_EQ(world.background.running(), 0U);
}

TEST(SharedConnection, AFreshOneIsNotTheOldOne) {
  World world;
  World::Asking asking;
  world.ask(asking);
  world.settle();
  asking.attempts.repeat_fresh();
  asking.acquired.reset();
  world.ask(asking);
  EXPECT_TRUE(asking.has_lease());
  EXPECT_EQ(world.connector.asked, 2);
}

}  // namespace
}  // namespace upstream
