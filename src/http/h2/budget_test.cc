// What a connection may hold: streams, handlers, and memory.
#include <gtest/gtest.h>

#include "http/h2/server_test.h"
#include "http/h2/token_bucket.h"
#include "io/socket.h"

namespace http::h2 {
namespace {

using base::kNoDeadline;
using observe::Counter;
using std::chrono::seconds;

// Holds what it was given until its client resets it.
async::Task<void> hold(ServerWorld& /*world*/, ServerStream& stream) {
  while (!stream.client().peer_closed()) {
    if (!co_await io::ready(stream.client(), io::Direction::write, kNoDeadline,
                            io::Waiting::busy)) {
      co_return;
    }
    io::EventLoop& loop = stream.client().loop();
    if (!co_await io::sleep_until(loop, loop.now() + seconds(1))) co_return;
  }
}

// Goes on when its client has long left, as a handler does that waits for a backend.
async::Task<void> work_on(ServerWorld& /*world*/, ServerStream& stream) {
  io::EventLoop& loop = stream.client().loop();
  static_cast<void>(co_await io::sleep_until(loop, loop.now() + seconds(60)));
}

TEST(Budget, HandlersThatStillRunCountAsStreams) {
  ServerWorld world(work_on);
  world.options.limits.max_streams = 10;
  world.begin();
  for (int i = 0; i < 10; ++i) world.say(headers(1 + 2 * i, get()));
  for (int i = 0; i < 10; ++i) world.say(reset(1 + 2 * i));
  world.say(headers(21, get()));
  EXPECT_EQ(world.heard(), "RST_STREAM 21 7\n");  // REFUSED_STREAM: it may be sent again
  EXPECT_EQ(world.served, 10);
  EXPECT_EQ(world.connection->open_streams(), 10U);
  EXPECT_EQ(world.count(Counter::limit_h2_streams), 1U);
  world.pass(seconds(61));
  world.say(headers(23, get()));
  EXPECT_EQ(world.served, 11);
}

TEST(Budget, OneReadStartsNoMoreHandlersThanThereMayBeStreams) {
  ServerWorld world(work_on);
  world.options.limits.max_streams = 10;
  world.begin();
  for (int i = 0; i < 9; ++i) world.say(headers(1 + 2 * i, get()));
  for (int i = 0; i < 9; ++i) world.say(reset(1 + 2 * i));  // their handlers work on
  std::string all;
  for (int i = 10; i < 20; ++i) all += headers(1 + 2 * i, get());
  world.say(all);
  EXPECT_EQ(world.served, 10);
  EXPECT_EQ(world.connection->open_streams(), 10U);
  EXPECT_EQ(world.count(Counter::limit_h2_streams), 9U);
}

TEST(Budget, WhatIsResetBeforeItsHandlerBeginsTakesNoPlace) {
  ServerWorld world(work_on);
  world.options.limits.max_streams = 10;
  world.begin();
  std::string all;
  for (int i = 0; i < 10; ++i) all += headers(1 + 2 * i, get()) + reset(1 + 2 * i);
  for (int i = 10; i < 20; ++i) all += headers(1 + 2 * i, {{":method", "GET"}});  // malformed
  world.say(all);
  EXPECT_EQ(world.served, 0);
  all.clear();
  for (int i = 20; i < 30; ++i) all += headers(1 + 2 * i, get());
  world.say(all);
  EXPECT_EQ(world.served, 10);
}

TEST(Budget, HeadsOfRefusedStreamsAreDecodedNoFurtherThanOthers) {
  ServerWorld world(work_on);
  world.options.limits.max_streams = 1;
  world.options.limits.max_decoded = 20'000;
  world.begin();
  // 4,000 bytes in the dynamic table, that the second block names again and again.
  const std::string large = std::string("\x40\x01", 2) + "a" + "\x7f" + std::string("\xa1\x1e", 2) +
                            std::string(4000, 'x');
  world.say(frame(FrameType::headers, kEnd | kEndHeaders, 1, block(get()) + large));
  world.say(reset(1));  // its handler keeps the place
  const auto again = [&](std::int32_t id, std::size_t times) {
    return frame(FrameType::headers, kEnd | kEndHeaders, id,
                 block(get()) + std::string(times, '\xbe'));
  };
  world.say(again(3, 4));
  EXPECT_EQ(world.heard(), "RST_STREAM 3 7\n");
  EXPECT_FALSE(world.end);
  world.say(again(5, 6));
  EXPECT_EQ(world.heard(), "GOAWAY 5 11\n");
  world.pass(seconds(61));
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->reason, "header_bomb");
}

TEST(Budget, HeadsCountAndNewStreamsAreRefusedBeyondIt) {
  ServerWorld world(hold);
  world.options.limits.memory = 100'000;
  world.begin();
  const std::string large(8'000, 'x');
  for (int i = 0; i < 50; ++i) world.say(headers(1 + 2 * i, get("/", {{"a", large}})));
  EXPECT_LE(world.served, 13);
  EXPECT_GE(world.served, 10);
  EXPECT_EQ(world.count(Counter::limit_h2_memory), 50U - static_cast<unsigned>(world.served));
  for (int i = 0; i < 50; ++i) world.say(reset(1 + 2 * i));
  world.pass(seconds(2));
  EXPECT_EQ(world.connection->open_streams(), 0U);
  world.say(headers(101, get()));
  EXPECT_EQ(world.connection->open_streams(), 1U);  // all was given back
}

TEST(Budget, AnHpackBombOnManyStreamsIsBounded) {
  // 4,000 bytes in the dynamic table, named seven times by each of 100 streams: a frame of some 60
  // bytes becomes a head of 28 KB.
  ServerWorld world(hold);
  world.begin();
  std::string first = block(get());
  first += std::string("\x40\x01", 2) + "a" + "\x7f" + std::string("\xa1\x1e", 2) +
           std::string(4000, 'x');
  world.say(frame(FrameType::headers, kEnd | kEndHeaders, 1, first));
  for (int i = 1; i < 100; ++i) {
    world.say(frame(FrameType::headers, kEnd | kEndHeaders, 1 + 2 * i,
                    block(get()) + std::string(7, '\xbe')));
  }
  // 1 MB by default, and the head that passes it.
  EXPECT_LE(world.served, 1024 / 28 + 2);
  EXPECT_GE(world.count(Counter::limit_h2_memory), 50U);
}

TEST(Budget, IsSharedByAllConnections) {
  SharedBudget all{.limit = 20'000};
  ServerWorld first(hold);
  first.options.budget = &all;
  first.begin();
  const std::string large(6'000, 'x');
  for (int i = 0; i < 4; ++i) first.say(headers(1 + 2 * i, get("/", {{"a", large}})));
  EXPECT_GT(all.used, all.limit);
  {
    ServerWorld second(hold);
    second.options.budget = &all;
    second.begin(headers(1, get()));
    EXPECT_EQ(second.heard(), "RST_STREAM 1 7\n");
  }
  for (int i = 0; i < 4; ++i) first.say(reset(1 + 2 * i));
  first.pass(seconds(2));
  EXPECT_EQ(all.used, 0U);
}

TEST(Budget, WhatOthersHoldIsNotHeldAgainstAClient) {
  SharedBudget all{.limit = 10'000, .used = 20'000};
  ServerWorld world;
  world.options.budget = &all;
  world.options.limits.resets = {.burst = 20};
  world.begin();
  for (int i = 0; i < 100; ++i) world.say(headers(1 + 2 * i, get()));
  EXPECT_EQ(world.served, 0);
  EXPECT_EQ(world.count(Counter::limit_h2_memory), 100U);
  EXPECT_FALSE(world.end) << "its requests were refused, and no offence";
  all.used -= 20'000;
  world.say(headers(201, get()));
  EXPECT_EQ(world.served, 1);
  for (int i = 102; i < 130; ++i) world.say(headers(1 + 2 * i, {{":method", "GET"}}));
  ASSERT_TRUE(world.end) << "its own errors are";
  EXPECT_EQ(world.end->reason, "rapid_reset");
}

TEST(Budget, BodiesThatNobodyReadsAreBoundedByTheWindows) {
  ServerWorld world(hold);
  world.options.limits.connection_window = 200'000;
  world.options.limits.memory = 300'000;
  world.begin();
  const std::string piece(16'000, 'x');
  for (int i = 0; i < 20; ++i) {
    world.say(headers(1 + 2 * i, post(), 0));
    world.say(data(1 + 2 * i, piece));
  }
  world.pass(seconds(2));
  // Who sends more than the connection's window is sent away.
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::protocol);
  EXPECT_EQ(world.end->reason, "FLOW_CONTROL_ERROR");
}

TEST(TokenBucket, GivesABurstAndThenItsRate) {
  base::TimePoint now{};
  TokenBucket bucket({.burst = 3, .per_second = 2}, now);
  int taken = 0;
  while (bucket.take(now)) ++taken;
  EXPECT_EQ(taken, 3);
  for (int i = 0; i < 100; ++i) {
    now += std::chrono::milliseconds(10);
    if (bucket.take(now)) ++taken;
  }
  EXPECT_EQ(taken, 5);
  now += std::chrono::hours(24 * 365);
  taken = 0;
  while (bucket.take(now)) ++taken;
  EXPECT_EQ(taken, 3);
  bucket.give(100);
  while (bucket.take(now)) ++taken;
  EXPECT_EQ(taken, 6);
}

}  // namespace
}  // namespace http::h2
