// Idle connections, over pipes.
#include "upstream/pool.h"

#include <gtest/gtest.h>

#include <chrono>

#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"

namespace upstream {
namespace {

using namespace std::chrono_literals;

struct World {
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  Pool pool;

  explicit World(KeepAlive options = {}) : pool(loop, options, &counters) {}

  struct Made {
    std::unique_ptr<Connection> ours;
    std::unique_ptr<io::Stream> backend;
  };
  Made make(const Identity& identity = {.peer = 1}) {
    auto [ours, backend] = io::testing::make_pipe(loop);
    Transport transport{.stream = std::move(ours)};
    auto connection = std::make_unique<Connection>(std::move(transport), identity);
    return {std::move(connection), std::move(backend)};
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.run_until_idle();
  }
};

void say(io::Stream& stream, std::string_view text) {
  const iovec piece = io::piece_of(text);
  ASSERT_TRUE(stream.try_write({&piece, 1}));
}

/// Whether the other end is closed.
bool hears_the_end(io::Stream& stream) {
  std::array<char, 1> byte{};
  const auto got = stream.try_read(byte);
  return got ? *got == 0 : !got.error().is(base::ErrorCode::would_block);
}

TEST(Pool, GivesTheConnectionThatWasUsedLast) {
  World world;
  auto first = world.make();
  auto second = world.make();
  const Connection* newest = second.ours.get();
  EXPECT_TRUE(world.pool.put(std::move(first.ours)));
  EXPECT_TRUE(world.pool.put(std::move(second.ours)));
  EXPECT_EQ(world.counters.get(observe::Counter::upstream_idle), 2U);
  EXPECT_EQ(world.pool.take({.peer = 1}).get(), newest);
  EXPECT_EQ(world.pool.size(), 1U);
  EXPECT_EQ(world.counters.get(observe::Counter::upstream_idle), 1U);
}

TEST(Pool, KeepsNoConnectionThatIsBoundToOneClient) {
  World world;
  auto made = world.make();
  made.ours->single_use = true;
  EXPECT_FALSE(world.pool.put(std::move(made.ours)));
  EXPECT_TRUE(hears_the_end(*made.backend));
}

TEST(Pool, NeverMixesPeersOrTlsIdentities) {
  World world;
  const TlsTarget kept{.context_id = 1, .server_name = "a", .verify_name = "a"};
  auto made = world.make({.peer = 1, .tls = &kept});
  ASSERT_TRUE(world.pool.put(std::move(made.ours)));
  const TlsTarget other_context{.context_id = 2, .server_name = "a", .verify_name = "a"};
  const TlsTarget other_sni{.context_id = 1, .server_name = "b", .verify_name = "a"};
  const TlsTarget other_name{.context_id = 1, .server_name = "a", .verify_name = "b"};
  EXPECT_EQ(world.pool.take({.peer = 1}), nullptr);
  EXPECT_EQ(world.pool.take({.peer = 2, .tls = &kept}), nullptr);
  EXPECT_EQ(world.pool.take({.peer = 1, .locality = 7, .tls = &kept}), nullptr);
  EXPECT_EQ(world.pool.take({.peer = 1, .tls = &other_context}), nullptr);
  EXPECT_EQ(world.pool.take({.peer = 1, .tls = &other_sni}), nullptr);
  EXPECT_EQ(world.pool.take({.peer = 1, .tls = &other_name}), nullptr);
  EXPECT_NE(world.pool.take({.peer = 1, .tls = &kept}), nullptr);
}

TEST(Pool, ClosesTheOldestWhenItIsFull) {
  World world({.max_idle = 2});
  auto first = world.make({.peer = 1});
  auto second = world.make({.peer = 2});
  auto third = world.make({.peer = 3});
  world.pool.put(std::move(first.ours));
  world.pool.put(std::move(second.ours));
  world.pool.put(std::move(third.ours));
  EXPECT_EQ(world.pool.size(), 2U);
  EXPECT_TRUE(hears_the_end(*first.backend));
  EXPECT_FALSE(hears_the_end(*second.backend));
}

TEST(Pool, TellsSinceWhenTheOldestIsIdleAndClosesIt) {
  World world;
  EXPECT_EQ(world.pool.oldest_since(), base::kNoDeadline);
  world.pool.discard_oldest();
  auto first = world.make({.peer = 2});
  auto second = world.make({.peer = 1});
  const base::TimePoint start = world.loop.now();
  world.pool.put(std::move(first.ours));
  world.pass(1s);
  world.pool.put(std::move(second.ours));
  EXPECT_EQ(world.pool.oldest_since(), start);
  world.pool.discard_oldest();
  EXPECT_TRUE(hears_the_end(*first.backend));
  EXPECT_FALSE(hears_the_end(*second.backend));
  EXPECT_EQ(world.pool.oldest_since(), start + 1s);
}

TEST(Pool, ClosesAConnectionThatIsIdleForTooLong) {
  World world({.idle_timeout = 60s});
  auto made = world.make();
  world.pool.put(std::move(made.ours));
  world.pass(59s);
  EXPECT_EQ(world.pool.size(), 1U);
  world.pass(2s);
  EXPECT_EQ(world.pool.size(), 0U);
  EXPECT_TRUE(hears_the_end(*made.backend));
}

TEST(Pool, ClosesAConnectionWhoseBackendHangsUp) {
  World world;
  auto made = world.make();
  world.pool.put(std::move(made.ours));
  made.backend.reset();
  EXPECT_EQ(world.pool.take({.peer = 1}), nullptr);
  world.pass(10ms);
  EXPECT_EQ(world.pool.size(), 0U);
}

TEST(Pool, ClosesAConnectionWhoseBackendSpeaksUnasked) {
  World world;
  auto made = world.make();
  world.pool.put(std::move(made.ours));
  say(*made.backend, "HTTP/1.1 200 OK\r\n\r\n");
  EXPECT_EQ(world.pool.take({.peer = 1}), nullptr);
  world.pass(10ms);
  EXPECT_EQ(world.pool.size(), 0U);
  EXPECT_TRUE(hears_the_end(*made.backend));
}

TEST(Pool, KeepsNoConnectionThatHasUnreadBytes) {
  World world;
  auto made = world.make();
  say(*made.backend, "x");
  EXPECT_FALSE(world.pool.put(std::move(made.ours)));
  EXPECT_EQ(world.pool.size(), 0U);
}

TEST(Pool, KeepsNoConnectionThatHasServedItsRequests) {
  World world({.max_requests = 2});
  auto made = world.make();
  made.ours->requests = 1;
  ASSERT_TRUE(world.pool.put(std::move(made.ours)));
  auto again = world.pool.take({.peer = 1});
  again->requests = 2;
  EXPECT_FALSE(world.pool.put(std::move(again)));
}

TEST(Pool, KeepsNothingWhenItIsOffOrClosed) {
  World off({.max_idle = 0});
  EXPECT_FALSE(off.pool.put(off.make().ours));
  World closed;
  auto made = closed.make();
  closed.pool.put(std::move(made.ours));
  closed.pool.close();
  EXPECT_TRUE(hears_the_end(*made.backend));
  EXPECT_FALSE(closed.pool.put(closed.make().ours));
}

TEST(Pool, ClosesWhatBelongsToAPeerThatIsGone) {
  World world;
  auto first = world.make({.peer = 1});
  auto second = world.make({.peer = 2});
  world.pool.put(std::move(first.ours));
  world.pool.put(std::move(second.ours));
  world.pool.forget(1);
  EXPECT_TRUE(hears_the_end(*first.backend));
  EXPECT_EQ(world.pool.size(), 1U);
}

}  // namespace
}  // namespace upstream
