// Responses: how they are framed, how they wait for the client's window, and how they end early.
#include <gtest/gtest.h>

#include "http/h2/server_test.h"
#include "io/buffer.h"

namespace http::h2 {
namespace {

using base::kNoDeadline;
using observe::Counter;
using std::chrono::seconds;
using Kind = BodyFraming::Kind;

ResponseHead ok(ServerStream& stream, BodyFraming body = {.kind = Kind::chunked}) {
  ResponseHead head(stream.arena());
  head.status = 200;
  head.body = body;
  return head;
}

std::string said_by(ServerWorld::Serve handler, const Pairs& request = get()) {
  ServerWorld world(std::move(handler));
  world.begin(headers(1, request));
  return world.heard();
}

TEST(Response, IsFramedByTheStream) {
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              Responder& to = stream.responder();
              EXPECT_FALSE(to.head_sent());
              EXPECT_TRUE(co_await to.send_head(ok(stream), "ab", End::no, kNoDeadline));
              EXPECT_TRUE(to.head_sent());
              EXPECT_FALSE(to.ended());
              EXPECT_TRUE(co_await to.send_body("cd", End::no, kNoDeadline));
              EXPECT_TRUE(co_await to.send_body("", End::yes, kNoDeadline));
              EXPECT_TRUE(to.ended());
            }),
            "HEADERS 1 :status=200\nDATA 1 ab\nDATA 1 cd\nDATA 1 END\n");
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              Responder& to = stream.responder();
              EXPECT_TRUE(co_await to.send_head(ok(stream, {}), "", End::yes, kNoDeadline));
              EXPECT_TRUE(to.ended());
            }),
            "HEADERS 1 END :status=200 content-length=0\n");
}

TEST(Response, HasLowerCaseNamesAndNoFieldsOfConnections) {
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              ResponseHead head = ok(stream, {});
              EXPECT_TRUE(head.fields.add("Content-Type", "text/plain"));
              EXPECT_TRUE(head.fields.add("X-Own", "A"));
              EXPECT_TRUE(head.fields.add("Connection", "close"));
              EXPECT_TRUE(head.fields.add("Keep-Alive", "1"));
              EXPECT_TRUE(co_await stream.responder().send_head(head, "", End::yes, kNoDeadline));
            }),
            "HEADERS 1 END :status=200 content-type=text/plain x-own=A content-length=0\n");
}

TEST(Response, HasNoBodyWhereThereCanBeNone) {
  const auto with_body = [](ServerWorld& world, ServerStream& stream) -> async::Task<void> {
    ResponseHead head = ok(stream, {.kind = Kind::length, .length = 2});
    if (world.log == "204") head.status = 204;
    if (world.log == "304") head.status = 304;
    Responder& to = stream.responder();
    EXPECT_TRUE(co_await to.send_head(head, "a", End::no, kNoDeadline));
    EXPECT_TRUE(co_await to.send_body("b", End::yes, kNoDeadline));
    EXPECT_TRUE(to.ended());
  };
  Pairs head_request = get();
  head_request[0].second = "HEAD";
  EXPECT_EQ(said_by(with_body, head_request), "HEADERS 1 END :status=200\n");
  for (const std::string_view status : {"204", "304"}) {
    ServerWorld world(with_body);
    world.log = status;
    world.begin(headers(1, get()));
    EXPECT_EQ(world.heard(), "HEADERS 1 END :status=" + std::string(status) + "\n");
  }
}

TEST(Response, MayHaveTrailersAndInterimResponses) {
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              ResponseHead early(stream.arena());
              early.status = 103;
              EXPECT_TRUE(early.fields.add("Link", "</a>"));
              Responder& to = stream.responder();
              EXPECT_TRUE(co_await to.send_interim(early, kNoDeadline));
              EXPECT_FALSE(to.head_sent());
              EXPECT_TRUE(co_await to.send_head(ok(stream), "ab", End::no, kNoDeadline));
              Fields trailers(stream.arena());
              EXPECT_TRUE(trailers.add("Grpc-Status", "0"));
              EXPECT_TRUE(co_await to.finish(trailers, kNoDeadline));
              EXPECT_TRUE(to.ended());
            }),
            "HEADERS 1 :status=103 link=</a>\nHEADERS 1 :status=200\nDATA 1 ab\n"
            "HEADERS 1 END grpc-status=0\n");
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              Responder& to = stream.responder();
              EXPECT_TRUE(co_await to.send_head(ok(stream), "", End::no, kNoDeadline));
              Fields trailers(stream.arena());
              EXPECT_TRUE(trailers.add("Grpc-Status", "12"));
              EXPECT_TRUE(co_await to.finish(trailers, kNoDeadline));
            }),
            "HEADERS 1 :status=200\nHEADERS 1 END grpc-status=12\n");
}

TEST(Response, KeepsItsPromiseOfALength) {
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              Responder& to = stream.responder();
              const ResponseHead head = ok(stream, {.kind = Kind::length, .length = 3});
              EXPECT_TRUE(co_await to.send_head(head, "ab", End::no, kNoDeadline));
              EXPECT_FALSE(co_await to.send_body("cd", End::yes, kNoDeadline));
              EXPECT_FALSE(to.ended());
            }),
            "HEADERS 1 :status=200 content-length=3\nDATA 1 ab\nRST_STREAM 1 2\n");
}

TEST(Response, OneThatWouldBreakTheFramingIsNotSent) {
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              ResponseHead head = ok(stream, {});
              EXPECT_TRUE(head.fields.add("X", "1\r\nY: 2"));
              Responder& to = stream.responder();
              EXPECT_FALSE(co_await to.send_head(head, "", End::yes, kNoDeadline));
              EXPECT_FALSE(to.head_sent());
              EXPECT_TRUE(co_await to.send_head(ok(stream, {}), "", End::yes, kNoDeadline));
            }),
            "HEADERS 1 END :status=200 content-length=0\n");
}

TEST(Response, OfAHandlerThatGivesUpIsReset) {
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream&) -> async::Task<void> { co_return; }),
            "RST_STREAM 1 2\n");
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              Responder& to = stream.responder();
              EXPECT_TRUE(co_await to.send_head(ok(stream), "ab", End::no, kNoDeadline));
              stream.client().abort();
              EXPECT_TRUE(stream.client().peer_closed());
              EXPECT_FALSE(co_await to.send_body("cd", End::yes, kNoDeadline));
            }),
            "HEADERS 1 :status=200\nDATA 1 ab\nRST_STREAM 1 2\n");
}

TEST(Response, WhatTheClientStillSendsIsDeclinedInOrder) {
  ServerWorld world;
  world.begin(headers(1, post(), 0));
  EXPECT_EQ(world.heard(),
            "HEADERS 1 :status=200 content-length=2\nDATA 1 END ok\nRST_STREAM 1 0\n");
  world.say(data(1, "late"));
  world.say(headers(3, get()));
  EXPECT_EQ(world.heard(), "HEADERS 3 :status=200 content-length=2\nDATA 3 END ok\n");
  EXPECT_EQ(world.count(Counter::h2_resets_sent), 1U);
}

TEST(Response, ALargeHeadGoesInSeveralFrames) {
  ServerWorld world([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
    ResponseHead head = ok(stream, {});
    const std::string value(20'000, '\\');  // no Huffman code shorter than itself
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(head.fields.add("x", value));
    EXPECT_TRUE(co_await stream.responder().send_head(head, "", End::yes, kNoDeadline));
    EXPECT_GT(stream.responder().head_bytes_sent(), 80'000U);
  });
  world.begin(headers(1, get()));
  const auto frames = world.heard_frames();
  ASSERT_EQ(frames.size(), 5U);
  EXPECT_EQ(frames[0].type, FrameType::headers);
  EXPECT_EQ(frames[4].type, FrameType::continuation);
  EXPECT_EQ(frames[4].flags, kEndHeaders);
}

TEST(Response, AHeadThatIsTooLargeFailsAtOnce) {
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              ResponseHead head = ok(stream, {});
              const std::string value(60'000, 'x');
              for (int i = 0; i < 6; ++i) EXPECT_TRUE(head.fields.add("x", value));
              const auto sent =
                  co_await stream.responder().send_head(head, "", End::yes, kNoDeadline);
              EXPECT_EQ(sent.error().code, base::ErrorCode::too_large);
            }),
            "RST_STREAM 1 2\n");
}

TEST(Response, NothingIsSentAfterItsEnd) {
  EXPECT_EQ(said_by([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
              Responder& to = stream.responder();
              EXPECT_TRUE(co_await to.send_head(ok(stream), "ab", End::no, kNoDeadline));
              stream.client().shutdown_write();
              EXPECT_FALSE(co_await to.send_body("cd", End::yes, kNoDeadline));
              const iovec piece = io::piece_of("ef");
              EXPECT_FALSE(stream.client().try_write({&piece, 1}));
            }),
            "HEADERS 1 :status=200\nDATA 1 ab\nDATA 1 END\n");
}

TEST(Response, CountsItsBytes) {
  ServerWorld world([](ServerWorld& w, ServerStream& stream) -> async::Task<void> {
    Responder& to = stream.responder();
    const ResponseHead head = ok(stream, {.kind = Kind::length, .length = 4});
    EXPECT_TRUE(co_await to.send_head(head, "body", End::yes, kNoDeadline));
    w.log = std::to_string(to.bytes_sent()) + " " + std::to_string(to.head_bytes_sent()) + " " +
            std::to_string(stream.bytes_received());
  });
  const std::string request = headers(1, get());
  world.begin(request);
  std::size_t head = 0;
  std::size_t all = 0;
  for (const HeardFrame& heard : world.heard_frames()) {
    all += kFrameHeader + heard.payload.size();
    if (heard.type == FrameType::headers) head += kFrameHeader + heard.payload.size();
  }
  EXPECT_EQ(world.log, std::to_string(all) + " " + std::to_string(head) + " " +
                           std::to_string(request.size()));
}

// Sends 1 MB in pieces of 10,000 bytes, and says how much was asked for so far.
async::Task<void> send_much(ServerWorld& world, ServerStream& stream) {
  Responder& to = stream.responder();
  const io::Patience patience(kNoDeadline, seconds(10));
  auto sent = co_await to.send_head(ok(stream), "", End::no, patience);
  const std::string piece(10'000, 'x');
  while (sent && world.produced < 1'000'000) {
    world.produced += piece.size();
    sent = co_await to.send_body(piece, End::no, patience);
  }
  if (sent) sent = co_await to.send_body("", End::yes, patience);
  if (!sent) world.error = sent.error();
}

std::size_t data_in(const std::vector<HeardFrame>& frames) {
  std::size_t size = 0;
  for (const HeardFrame& heard : frames) {
    if (heard.type == FrameType::data) size += heard.payload.size();
  }
  return size;
}

TEST(Response, WaitsForTheClientsWindow) {
  ServerWorld world(send_much);
  world.begin(headers(1, get()));
  EXPECT_EQ(data_in(world.heard_frames()), 65'535U);
  EXPECT_EQ(world.produced, 70'000U);
  world.say(window(1, 10'000));
  EXPECT_EQ(data_in(world.heard_frames()), 0U);  // the connection has none left
  world.say(window(0, 5'000));
  EXPECT_EQ(data_in(world.heard_frames()), 5'000U);
  EXPECT_EQ(world.produced, 80'000U);
  world.say(window(0, 10'000'000));
  EXPECT_EQ(data_in(world.heard_frames()), 5'000U);
  world.say(window(1, 10'000'000));
  EXPECT_EQ(data_in(world.heard_frames()), 1'000'000U - 75'535U);
}

TEST(Response, NothingIsReadAheadForAClientWithoutAWindow) {
  ServerWorld world(send_much);
  world.begin(setting(4, 0));
  for (int i = 0; i < 100; ++i) world.say(headers(1 + 2 * i, get()));
  EXPECT_EQ(data_in(world.heard_frames()), 0U);
  EXPECT_EQ(world.produced, 100U * 10'000);  // one piece each
  EXPECT_EQ(world.connection->open_streams(), 100U);
}

TEST(Response, AStalledOneIsReset) {
  ServerWorld world(send_much);
  world.begin(setting(4, 0) + headers(1, get()));
  EXPECT_EQ(world.heard(), "SETTINGS ACK\nHEADERS 1 :status=200\n");
  world.pass(seconds(9));
  EXPECT_EQ(world.heard(), "");
  world.pass(seconds(2));
  EXPECT_EQ(world.heard(), "RST_STREAM 1 8\n");
  EXPECT_EQ(world.error.code, base::ErrorCode::timed_out);
  EXPECT_EQ(world.count(Counter::limit_h2_stalled), 1U);
  EXPECT_EQ(world.connection->open_streams(), 0U);
  world.say(headers(3, get()));  // the connection lives on
  EXPECT_EQ(world.heard(), "HEADERS 3 :status=200\n");
}

TEST(Response, OneThatMovesIsNotStalled) {
  ServerWorld world(send_much);
  world.begin(setting(4, 0) + headers(1, get()));
  static_cast<void>(world.heard());
  for (int i = 0; i < 5; ++i) {
    world.pass(seconds(8));
    world.say(window(1, 100));
    EXPECT_EQ(data_in(world.heard_frames()), 100U);
  }
  EXPECT_EQ(world.error.code, base::ErrorCode::internal);  // none
}

TEST(Response, TheClientsResetEndsASendThatWaits) {
  ServerWorld world(send_much);
  world.begin(setting(4, 0) + headers(1, get()));
  world.say(reset(1));
  EXPECT_EQ(world.error.code, base::ErrorCode::reset);
  EXPECT_EQ(world.connection->open_streams(), 0U);
  EXPECT_EQ(world.count(Counter::h2_resets_received), 1U);
}

TEST(Response, AClientThatReadsNothingHoldsOneBuffer) {
  ServerWorld world(send_much, {.capacity = 1000});
  world.options.write_timeout = seconds(5);
  world.begin(setting(4, 1 << 30) + window(0, 1 << 30));
  world.say(headers(1, get()));
  EXPECT_LE(world.produced, io::Buffer::kLarge + 20'000);
  world.pass(seconds(6));
  ASSERT_TRUE(world.end);
  EXPECT_EQ(world.end->how, ConnectionEnd::How::stalled);
  EXPECT_EQ(world.error.code, base::ErrorCode::reset);
}

TEST(Response, UrgentOnesComeFirstAndIncrementalOnesShare) {
  const auto order_of = [](std::string_view first, std::string_view second) {
    ServerWorld world([](ServerWorld&, ServerStream& stream) -> async::Task<void> {
      const std::string piece(200'000, 'x');
      static_cast<void>(
          co_await stream.responder().send_head(ok(stream), piece, End::yes, kNoDeadline));
    });
    world.begin(setting(4, 1 << 20));
    // The connection's window is used up, so that both wait.
    world.say(headers(1, get()));
    static_cast<void>(world.heard_frames());
    world.say(reset(1));
    world.say(headers(3, get("/", {{"priority", std::string(first)}})));
    world.say(headers(5, get("/", {{"priority", std::string(second)}})));
    static_cast<void>(world.heard_frames());
    world.say(window(0, 64'000));
    std::string order;
    for (const HeardFrame& heard : world.heard_frames()) {
      if (heard.type == FrameType::data) order += std::to_string(heard.id);
    }
    return order;
  };
  EXPECT_EQ(order_of("u=6", "u=0").substr(0, 3), "555");
  EXPECT_EQ(order_of("u=0", "u=6").substr(0, 3), "333");
  const std::string shared = order_of("u=2, i", "u=2, i").substr(0, 4);
  EXPECT_TRUE(shared == "3535" || shared == "5353") << shared;
}

}  // namespace
}  // namespace http::h2
