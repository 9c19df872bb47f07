#include "http/h2/server_connection.h"

#include <gtest/gtest.h>

#include "http/h2/server_test.h"

namespace http::h2 {
namespace {

using base::kNoDeadline;
using observe::Counter;
using std::chrono::seconds;

TEST(ServerConnection, BeginsWithItsSettingsAndAcknowledgesTheClients) {
  ServerWorld world;
  world.connection.emplace(*world.stream, world, world.options, world.counters);
  world.scope.spawn(
      [](ServerWorld* w) -> async::Task<void> { w->end = co_await w->connection->run(); }(&world));
  world.say(preface());
  EXPECT_EQ(world.heard(), "SETTINGS\nWINDOW_UPDATE 0 458753\nSETTINGS ACK\n");
  EXPECT_EQ(world.count(Counter::h2_connections), 1U);
}

TEST(ServerConnection, AnswersARequest) {
  ServerWorld world;
  world.begin(headers(1, get("/a?b")));
  EXPECT_EQ(world.heard(), "HEADERS 1 :status=200 content-length=2\nDATA 1 END ok\n");
  EXPECT_EQ(world.connection->open_streams(), 0U);
  EXPECT_EQ(world.connection->requests(), 1U);
  EXPECT_EQ(world.count(Counter::h2_streams), 1U);
}

TEST(ServerConnection, TakesThePrefaceFromWhoeverRecognisedIt) {
  ServerWorld world;
  world.connection.emplace(*world.stream, world, world.options, world.counters);
  world.connection->begin_with(preface() + headers(1, get()));
  world.scope.spawn(
      [](ServerWorld* w) -> async::Task<void> { w->end = co_await w->connection->run(); }(&world));
  EXPECT_NE(world.heard().find("HEADERS 1 :status=200"), std::string::npos);
}

TEST(ServerConnection, HearsTheSameByteByByte) {
  ServerWorld world(ServerWorld::answer_ok, {.slice = 1});
  world.begin(headers(1, get()) + headers(3, get()));
  EXPECT_EQ(world.heard(),
            "HEADERS 1 :status=200 content-length=2\nDATA 1 END ok\n"
            "HEADERS 3 :status=200 content-length=2\nDATA 3 END ok\n");
}

TEST(ServerConnection, WritesManyAnswersAtOnce) {
  ServerWorld world;
  world.begin();
  std::string requests;
  for (int i = 0; i < 50; ++i) requests += headers(1 + 2 * i, get());
  const int before = world.stream->writes;
  world.say(requests);
  EXPECT_EQ(world.stream->writes, before + 1);
  EXPECT_EQ(world.heard_frames().size(), 100U);
}

TEST(ServerConnection, RefusesWhatIsNoPreface) {
  ServerWorld world;
  world.connection.emplace(*world.stream, world, world.options, world.counters);
  world.scope.spawn(
      [](ServerWorld* w) -> async::Task<void> { w->end = co_await w->connection->run(); }(&world));
  world.say("GET / HTTP/1.1\r\nHost: example.com\r\n\r\n");
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::protocol);
}

TEST(ServerConnection, EndsAfterAConnectionErrorWithGoaway) {
  ServerWorld world;
  world.begin(data(0, "x"));
  EXPECT_EQ(world.heard(), "GOAWAY 0 1\n");
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::protocol);
  EXPECT_EQ(world.end->reason, "PROTOCOL_ERROR");
  EXPECT_TRUE(world.end->linger);
}

TEST(ServerConnection, AnIdleOneEndsAfterItsTime) {
  ServerWorld world;
  world.options.idle_timeout = seconds(10);
  world.begin(headers(1, get()));
  static_cast<void>(world.heard());
  world.pass(seconds(9));
  EXPECT_FALSE(world.end);
  world.say(frame(FrameType::ping, 0, 0, "12345678"));  // does not count as a request
  EXPECT_EQ(world.heard(), "PING ACK\n");
  world.pass(seconds(2));
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::idle);
  EXPECT_EQ(world.heard(), "GOAWAY 1 0\n");
}

TEST(ServerConnection, ASilentOneEndsAfterTheHeaderTime) {
  ServerWorld world;
  world.options.header_timeout = seconds(10);
  world.begin();
  world.pass(seconds(11));
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::silent);
}

TEST(ServerConnection, AHeadThatStopsInTheMiddleEndsIt) {
  ServerWorld world;
  world.options.header_timeout = seconds(10);
  world.begin(headers(1, get()));
  world.say(frame(FrameType::headers, kEnd, 3, block(get()).substr(0, 20)));
  for (std::size_t at = 20; at < 26; at += 2) {
    world.pass(seconds(3));
    world.say(frame(FrameType::continuation, 0, 3, block(get()).substr(at, 2)));
  }
  EXPECT_FALSE(world.end);
  world.pass(seconds(3));
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::silent);
}

async::Task<void> wait_for_client(ServerWorld& world, ServerStream& stream) {
  static_cast<void>(
      co_await io::ready(stream.client(), io::Direction::read, kNoDeadline, io::Waiting::busy));
  co_await ServerWorld::answer_ok(world, stream);
}

TEST(ServerConnection, DrainsInTwoStepsAndEndsAfterItsRequests) {
  ServerWorld world(wait_for_client);
  world.begin(headers(1, post(), 0));
  world.scope.request_drain();
  EXPECT_EQ(world.heard(), "GOAWAY 2147483647 0\nPING\n");
  world.say(headers(3, post(), 0));  // was on its way
  world.say(frame(FrameType::ping, 1, 0, std::string(8, '\0')));
  EXPECT_EQ(world.heard(), "GOAWAY 3 0\n");
  world.say(headers(5, get()));  // too late
  EXPECT_EQ(world.served, 2);
  world.say(data(1, "", kEnd));
  EXPECT_EQ(world.heard(), "HEADERS 1 :status=200 content-length=2\nDATA 1 END ok\n");
  EXPECT_FALSE(world.end);
  world.say(data(3, "", kEnd));
  EXPECT_EQ(world.heard(), "HEADERS 3 :status=200 content-length=2\nDATA 3 END ok\n");
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::closed);
}

TEST(ServerConnection, AnIdleOneEndsAtOnceAtADrain) {
  ServerWorld world;
  world.begin(headers(1, get()));
  static_cast<void>(world.heard());
  world.scope.request_drain();
  EXPECT_NE(world.heard().find("GOAWAY 1 0\n"), std::string::npos);
  EXPECT_TRUE(world.end);
}

TEST(ServerConnection, OneThatHasJustComeIsLetBeForAMoment) {
  ServerWorld world;
  world.begin();
  world.scope.request_drain();
  world.loop.run_until_idle();
  EXPECT_FALSE(world.end);
  world.pass(seconds(2));
  EXPECT_TRUE(world.end);
}

TEST(ServerConnection, DrainsWhenTheHandlerWantsNoMoreRequests) {
  ServerWorld world([](ServerWorld& w, ServerStream& stream) {
    w.connection->drain();
    return ServerWorld::answer_ok(w, stream);
  });
  world.begin(headers(1, get()));
  EXPECT_EQ(world.heard(),
            "GOAWAY 2147483647 0\nPING\nHEADERS 1 :status=200 content-length=2\n"
            "DATA 1 END ok\nGOAWAY 1 0\n");
  ASSERT_TRUE(world.end);
}

TEST(ServerConnection, AClientThatIgnoresTheDrainIsNotHeardForEver) {
  ServerWorld world(wait_for_client);
  world.options.limits.max_streams = 4;
  world.options.limits.resets = {.burst = 1000};
  world.begin(headers(1, post(), 0));
  world.scope.request_drain();
  for (int i = 1; i < 20; ++i) world.say(headers(1 + 2 * i, get()));
  EXPECT_LE(world.served, 6);
}

TEST(ServerConnection, WhenTheClientGoesTheHandlersHearOfIt) {
  ServerWorld world([](ServerWorld& w, ServerStream& stream) -> async::Task<void> {
    const auto piece = co_await stream.body().read(kNoDeadline);
    if (!piece) w.error = piece.error();
  });
  world.begin(headers(1, post(), 0));
  world.peer.reset();
  world.loop.run_until_idle();
  EXPECT_EQ(world.error.code, base::ErrorCode::reset);
  ASSERT_TRUE(world.end);
}

TEST(ServerConnection, TellsWhetherItIsIdle) {
  ServerWorld world(wait_for_client);
  world.begin(headers(1, post(), 0) + headers(3, post(), 0));
  EXPECT_EQ(world.idle, "busy ");
  world.say(data(1, "", kEnd));
  EXPECT_EQ(world.idle, "busy ");
  world.say(data(3, "", kEnd));
  EXPECT_EQ(world.idle, "busy idle ");
  world.say(headers(5, post(), 0));
  world.peer.reset();
  world.loop.run_until_idle();
  EXPECT_EQ(world.idle, "busy idle busy idle ");
}

TEST(ServerConnection, IsLetBeAfterARequestEvenAtADrain) {
  ServerWorld world([](ServerWorld& w, ServerStream& stream) {
    w.connection->set_idle(seconds(30), seconds(5));
    return ServerWorld::answer_ok(w, stream);
  });
  world.begin(headers(1, get()));
  world.scope.request_drain();
  world.pass(seconds(3));
  EXPECT_FALSE(world.end);
  world.say(headers(3, get()));
  EXPECT_NE(world.heard().find("HEADERS 3 :status=200"), std::string::npos);
  world.pass(seconds(6));
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::closed);
}

TEST(ServerConnection, AStoppedScopeEndsIt) {
  ServerWorld world(wait_for_client);
  world.begin(headers(1, post(), 0));
  world.scope.request_stop();
  world.loop.run_until_idle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::cancelled);
}

}  // namespace
}  // namespace http::h2
