#include "http/h1/body_reader.h"

#include <gtest/gtest.h>

#include "http/h1/stream_test.h"

namespace http::h1 {
namespace {

using base::ErrorCode;
using Kind = BodyFraming::Kind;
using Read = base::Result<std::string_view>;

struct Outcome {
  std::string body;
  std::optional<base::Error> error;
};

async::Task<Outcome> read_all(BodyReader& reader) {
  Outcome outcome;
  while (true) {
    const Read piece = co_await reader.read(base::kNoDeadline);
    if (!piece) {
      outcome.error = piece.error();
      co_return outcome;
    }
    if (piece->empty()) co_return outcome;
    outcome.body += *piece;
  }
}

/// `received` came with the head, `later` comes on the stream, which then ends if `ends`.
Outcome read(BodyFraming framing, std::string_view received, std::string_view later, bool ends,
             std::string* leftover = nullptr) {
  StreamWorld world({.capacity = 3});
  const std::string head(received);
  BodyReader reader(*world.stream, framing, head, world.arena);
  std::optional<Outcome> outcome;
  world.start(read_all(reader), outcome);
  if (!outcome) world.say(later);
  if (!outcome && ends) {
    world.peer->shutdown_write();
    world.loop.run_until_idle();
  }
  CHECK(outcome.has_value());
  if (leftover != nullptr) *leftover = reader.leftover();
  EXPECT_EQ(reader.ended(), !outcome->error);
  EXPECT_EQ(reader.delivered(), outcome->body.size());
  return *outcome;
}

constexpr std::string_view kChunked = "4\r\nabcd\r\n3;x=y\r\nefg\r\n0\r\nA: b\r\n\r\n";

TEST(BodyReader, GivesTheSameBodyWhereverItIsCut) {
  for (std::size_t at = 0; at <= 7; ++at) {
    constexpr std::string_view kBody = "abcdefg";
    const auto framing = BodyFraming{Kind::length, kBody.size()};
    EXPECT_EQ(read(framing, kBody.substr(0, at), kBody.substr(at), false).body, kBody);
    EXPECT_EQ(read({Kind::until_close}, kBody.substr(0, at), kBody.substr(at), true).body, kBody);
  }
  for (std::size_t at = 0; at <= kChunked.size(); ++at) {
    EXPECT_EQ(read({Kind::chunked}, kChunked.substr(0, at), kChunked.substr(at), false).body,
              "abcdefg");
  }
}

TEST(BodyReader, SaysWhenABodyIsCutOff) {
  for (std::size_t at = 0; at < kChunked.size(); ++at) {
    const Outcome outcome = read({Kind::chunked}, kChunked.substr(0, at), "", true);
    ASSERT_TRUE(outcome.error) << at;
    EXPECT_EQ(outcome.error->code, ErrorCode::end_of_stream);
  }
  for (std::size_t at = 0; at < 5; ++at) {
    const Outcome outcome = read({Kind::length, 5}, std::string(at, 'x'), "", true);
    ASSERT_TRUE(outcome.error) << at;
    EXPECT_EQ(outcome.error->code, ErrorCode::end_of_stream);
    EXPECT_EQ(outcome.body.size(), at);
  }
}

TEST(BodyReader, SaysWhichRuleAChunkBroke) {
  StreamWorld world;
  BodyReader reader(*world.stream, {Kind::chunked}, "3\r\nabcX", world.arena);
  const Outcome outcome = world.run(read_all(reader));
  EXPECT_EQ(outcome.body, "abc");
  ASSERT_TRUE(outcome.error);
  EXPECT_EQ(outcome.error->code, ErrorCode::protocol);
  EXPECT_EQ(reader.refusal(), Refusal::chunk_end_missing);
}

TEST(BodyReader, NeverReadsBeyondABodyOfKnownLength) {
  StreamWorld world;
  world.say("cdNEXT");
  BodyReader reader(*world.stream, {Kind::length, 4}, "ab", world.arena);
  EXPECT_EQ(world.run(read_all(reader)).body, "abcd");
  EXPECT_EQ(reader.leftover(), "");
  EXPECT_EQ(reader.read_from_stream(), 2U);
  std::array<char, 16> rest{};
  EXPECT_EQ(world.stream->try_read(rest).value(), 4U);
}

TEST(BodyReader, KeepsWhatFollowsTheBodyForTheNextMessage) {
  std::string leftover;
  EXPECT_EQ(read({Kind::length, 2}, "abNEXT", "", false, &leftover).body, "ab");
  EXPECT_EQ(leftover, "NEXT");
  EXPECT_EQ(read({Kind::none}, "NEXT", "", false, &leftover).body, "");
  EXPECT_EQ(leftover, "NEXT");
  StreamWorld world;
  world.say("2\r\nab\r\n0\r\n\r\nNEXT");
  BodyReader reader(*world.stream, {Kind::chunked}, "", world.arena);
  EXPECT_EQ(world.run(read_all(reader)).body, "ab");
  EXPECT_EQ(reader.leftover(), "NEXT");
}

TEST(BodyReader, EarlierPiecesStayValidWhileOnlyReceivedOnesAreTaken) {
  StreamWorld world;
  BodyReader reader(*world.stream, {Kind::chunked}, "", world.arena);
  world.say("2\r\nab\r\n2\r\ncd\r\n2\r\ne");
  const Read first = world.run(reader.read(base::kNoDeadline));
  const auto second = reader.next_received();
  const auto third = reader.next_received();
  EXPECT_FALSE(reader.next_received());
  ASSERT_TRUE(first && second && *second && third && *third);
  EXPECT_EQ(*first, "ab");
  EXPECT_EQ(**second, "cd");
  EXPECT_EQ(**third, "e");
  EXPECT_EQ(reader.read_from_stream(), 18U);
}

TEST(BodyReader, NoticesAnEndThatHasArrivedAndNoOther) {
  StreamWorld world;
  BodyReader whole(*world.stream, {Kind::chunked}, "2\r\nab\r\n0\r\nA: b\r\n\r\nNEXT", world.arena);
  ASSERT_TRUE(whole.next_received());
  EXPECT_FALSE(whole.ended());
  whole.notice_end();
  EXPECT_TRUE(whole.ended());
  EXPECT_EQ(whole.trailers().count(), 1U);
  EXPECT_EQ(whole.leftover(), "NEXT");

  // Data follows, or the trailers are not whole: nothing is taken, and nothing is told twice.
  for (const std::string_view rest : {"1\r\nc\r\n0\r\nA: b\r\n\r\n", "0\r\nA: b\r\n"}) {
    const std::string received = "2\r\nab\r\n" + std::string(rest);
    BodyReader partly(*world.stream, {Kind::chunked}, received, world.arena);
    ASSERT_TRUE(partly.next_received());
    partly.notice_end();
    EXPECT_FALSE(partly.ended());
    EXPECT_EQ(partly.trailers().count(), 0U);
    if (!rest.ends_with("\r\n\r\n")) world.say("\r\n");
    EXPECT_EQ(world.run(read_all(partly)).error, std::nullopt);
    EXPECT_EQ(partly.trailers().count(), 1U);
  }
  BodyReader counted(*world.stream, {Kind::length, 2}, "ab", world.arena);
  ASSERT_TRUE(counted.next_received());
  counted.notice_end();
  EXPECT_TRUE(counted.ended());
  BodyReader open(*world.stream, {Kind::until_close}, "ab", world.arena);
  ASSERT_TRUE(open.next_received());
  open.notice_end();
  EXPECT_FALSE(open.ended());
}

TEST(BodyReader, TryReadNeverWaits) {
  StreamWorld world;
  BodyReader reader(*world.stream, {Kind::length, 3}, "", world.arena);
  EXPECT_FALSE(reader.try_read());
  world.say("abc");
  EXPECT_EQ(reader.try_read()->value(), "abc");
  EXPECT_EQ(reader.try_read()->value(), "");
  EXPECT_TRUE(reader.ended());
}

TEST(BodyReader, ReportsTimeAndCancellation) {
  StreamWorld world;
  BodyReader reader(*world.stream, {Kind::length, 3}, "", world.arena);
  std::optional<Read> late;
  world.start(reader.read(world.loop.now() + std::chrono::seconds(1)), late);
  EXPECT_FALSE(late);
  world.clock.advance(std::chrono::seconds(2));
  world.loop.run_until_idle();
  ASSERT_TRUE(late);
  EXPECT_EQ(late->error().code, ErrorCode::timed_out);
  std::optional<Read> stopped;
  world.start(reader.read(base::kNoDeadline), stopped);
  world.scope.request_stop();
  world.loop.run_until_idle();
  ASSERT_TRUE(stopped);
  EXPECT_EQ(stopped->error().code, ErrorCode::cancelled);
}

}  // namespace
}  // namespace http::h1
