// What happens while a write waits for the peer's TCP: nothing is put into frames then, but the
// peer is still heard.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "http/h2/client_test.h"
#include "http/h2/server_test.h"

namespace http::h2 {
namespace {

using base::kNoDeadline;
using std::chrono::seconds;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr io::testing::PipeOptions kSmallPipe{.capacity = 2000};

async::Task<void> answer_much(ServerWorld& /*world*/, ServerStream& stream) {
  ResponseHead head(stream.arena());
  head.status = 200;
  head.body.kind = BodyFraming::Kind::chunked;
  const std::string much(50'000, 'm');
  static_cast<void>(co_await stream.responder().send_head(head, much, End::yes, kNoDeadline));
}

TEST(BlockedWrite, ABrokenRuleIsToldThoughTheGoawayNeverLeaves) {
  enum class How : std::uint8_t { stays, leaves };
  for (const How how : {How::stays, How::leaves}) {
    ServerWorld world(answer_much, kSmallPipe);
    world.begin(headers(1, get()));
    world.say(data(0, "x"));
    EXPECT_FALSE(world.end) << "it could not be said yet";
    if (how == How::leaves) world.peer->shutdown_write();
    world.pass(seconds(61));
    world.pass(seconds(61));
    ASSERT_TRUE(world.end);
    EXPECT_EQ(world.end->how, ConnectionEnd::How::protocol);
    EXPECT_EQ(world.end->reason, "PROTOCOL_ERROR");
  }
}

TEST(BlockedWrite, WhoeverBreaksARuleAndGoesIsToldOf) {
  ServerWorld world;
  world.begin();
  const std::string bad = data(0, "x");
  const iovec piece = io::piece_of(bad);
  ASSERT_TRUE(world.peer->try_write({&piece, 1}));
  world.peer->shutdown_write();
  world.loop.run_until_idle();
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::protocol);
}

TEST(BlockedWrite, WhoeverOnlyDoesNotReadHasStalled) {
  ServerWorld world(answer_much, kSmallPipe);
  world.begin(headers(1, get()));
  world.pass(seconds(61));
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::stalled);
}

TEST(BlockedWrite, AFloodEndsItAtOnce) {
  ServerWorld world(answer_much, kSmallPipe);
  world.begin(headers(1, get()));
  for (int i = 0; i < 300 && !world.end; ++i) {
    world.say(frame(FrameType::ping, 1, 0, "12345678"));
  }
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->reason, "ping_flood");
}

// A backend's GOAWAY comes while the first request's body fills its TCP; the second has not left.
TEST(BlockedWrite, AGoawayMovesTheRequestThatHasNotLeft) {
  for (const bool is_given_up : {false, true}) {
    ClientWorld world({}, kSmallPipe);
    world.settle();
    OutgoingRequest upload = world.request("POST");
    upload.body = {BodyFraming::Kind::chunked};
    const auto first = world.ask(upload, End::no, Method::post);
    const std::string much(50'000, 'm');
    std::optional<base::Result<void>> uploaded;
    world.start(first->send_body(much, End::yes, kNoDeadline), uploaded);
    auto second = world.connection->open(Method::post, world.arena, {});
    std::optional<base::Result<void>> sent;
    async::Scope asking;
    asking.spawn(world.keep(second->send_head(upload, {}, End::no, kNoDeadline), &sent));
    world.loop.run_until_idle();
    ASSERT_FALSE(sent) << "nothing is put into frames now";
    world.say(frame(FrameType::goaway, 0, 0, number(1, 4) + number(0, 4)));
    EXPECT_FALSE(world.connection->takes_requests());
    if (is_given_up) {
      asking.request_stop();
      world.loop.run_until_idle();
      second.reset();
    }
    EXPECT_THAT(world.heard(), ::testing::AllOf(HasSubstr("DATA 1 "), Not(HasSubstr("HEADERS 3"))));
    EXPECT_TRUE(uploaded && *uploaded) << "the first goes on";
    if (!is_given_up) {
      ASSERT_TRUE(sent && !*sent);
      EXPECT_TRUE(second->unprocessed()) << "it may be sent elsewhere, whatever it is";
      EXPECT_FALSE(world.read_head(*second));
    }
    world.say(headers(1, kOk));
    EXPECT_TRUE(world.read_head(*first));
  }
}

}  // namespace
}  // namespace http::h2
