#include "http/h1/client_exchange.h"

#include <gtest/gtest.h>

#include "http/h1/stream_test.h"

namespace http::h1 {
namespace {

using base::ErrorCode;
using base::kNoDeadline;
using Kind = BodyFraming::Kind;

constexpr HeadLimits kLimits{.max_line = 8 * 1024, .max_total = 16 * 1024, .max_fields = 100};

struct ClientWorld : StreamWorld {
  ClientExchange client;
  OutgoingRequest request{arena};
  ResponseHead head{arena};
  explicit ClientWorld(Method method = Method::get) : client(*stream, method, arena, kLimits) {
    request.method = text_of(method);
    request.target = "/";
  }
  base::Result<void> read_head() { return run(client.read_head(head, kNoDeadline)); }
};

TEST(ClientExchange, SendsHeadAndBodyInOneWrite) {
  ClientWorld world(Method::post);
  world.request.body = {Kind::length, 3};
  ASSERT_TRUE(world.request.fields.add("Host", "a"));
  EXPECT_TRUE(world.run(world.client.send_head(world.request, "abc", End::yes, kNoDeadline)));
  EXPECT_EQ(world.heard(), "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
  EXPECT_EQ(world.stream->writes, 1);
}

TEST(ClientExchange, SendsChunksOfItsBody) {
  ClientWorld world(Method::post);
  world.request.body = {Kind::chunked};
  EXPECT_TRUE(world.run(world.client.send_head(world.request, "", End::no, kNoDeadline)));
  EXPECT_TRUE(world.run(world.client.send_body("abc", End::yes, kNoDeadline)));
  EXPECT_EQ(world.heard(),
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n");
}

TEST(ClientExchange, NeverSendsATargetThatWouldBreakTheLine) {
  for (const std::string_view target : {"/a b", "/a\r\nX: 1", ""}) {
    ClientWorld world;
    world.request.target = target;
    const auto sent = world.run(world.client.send_head(world.request, "", End::yes, kNoDeadline));
    ASSERT_FALSE(sent);
    EXPECT_EQ(sent.error().code, ErrorCode::invalid);
    EXPECT_EQ(world.heard(), "");
  }
}

TEST(ClientExchange, ReadsAHeadThatArrivesByteByByte) {
  ClientWorld world;
  EXPECT_TRUE(world.run(world.client.send_head(world.request, "", End::yes, kNoDeadline)));
  std::optional<base::Result<void>> read;
  world.start(world.client.read_head(world.head, kNoDeadline), read);
  EXPECT_FALSE(world.client.answered());
  for (const char c : std::string_view("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r")) {
    world.say({&c, 1});
    EXPECT_FALSE(read);
  }
  EXPECT_TRUE(world.client.answered());
  world.say("\nab");
  ASSERT_TRUE(read && *read);
  EXPECT_EQ(world.head.status, 200);
  BodyReader& body = world.client.open_body(world.head);
  EXPECT_EQ(world.run(body.read(kNoDeadline)).value(), "ab");
  EXPECT_FALSE(world.client.clean());
  EXPECT_EQ(world.run(body.read(kNoDeadline)).value(), "");
  EXPECT_TRUE(world.client.clean());
}

TEST(ClientExchange, ReadsInterimResponsesFirst) {
  ClientWorld world;
  world.say(
      "HTTP/1.1 103 Early Hints\r\nLink: <a>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"
      "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nx");
  ASSERT_TRUE(world.read_head());
  EXPECT_EQ(world.head.status, 103);
  EXPECT_EQ(world.head.fields.count(), 1U);
  ASSERT_TRUE(world.read_head());
  EXPECT_EQ(world.head.status, 100);
  ASSERT_TRUE(world.read_head());
  EXPECT_EQ(world.head.status, 200);
  EXPECT_EQ(world.run(world.client.open_body(world.head).read(kNoDeadline)).value(), "x");
}

TEST(ClientExchange, BoundsTheInterimResponsesOfOneExchange) {
  ClientWorld world;
  std::optional<base::Result<void>> failed;
  int heads = 0;
  while (!failed && heads < 1000) {
    world.say("HTTP/1.1 103 Early Hints\r\nLink: " + std::string(1000, 'x') + "\r\n\r\n");
    const auto read = world.read_head();
    if (read) {
      ++heads;
    } else {
      failed = read;
    }
  }
  ASSERT_TRUE(failed);
  EXPECT_EQ(failed->error().code, ErrorCode::too_large);
  EXPECT_LT(heads, 100);
}

TEST(ClientExchange, BoundsAHeadThatNeverEnds) {
  for (const std::string& part : {std::string(100, 'a'), "X: " + std::string(50, 'a') + "\r\n"}) {
    ClientWorld world;
    std::optional<base::Result<void>> read;
    world.start(world.client.read_head(world.head, kNoDeadline), read);
    world.say("HTTP/1.1 200 OK\r\nX: ");
    std::size_t said = 0;
    for (; !read && said < 1'000'000; said += part.size()) world.say(part);
    ASSERT_TRUE(read);
    EXPECT_FALSE(*read);
    EXPECT_LT(said, 20'000U);
    EXPECT_NE(world.client.refusal(), Refusal::none);
  }
}

TEST(ClientExchange, SaysWhichRuleAHeadBroke) {
  ClientWorld world;
  world.say("HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n");
  const auto read = world.read_head();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::protocol);
  EXPECT_EQ(world.client.refusal(), Refusal::duplicate_content_length);
}

TEST(ClientExchange, SaysThatTheHeadWasCutOff) {
  ClientWorld world;
  world.say("HTTP/1.1 200 OK\r\n");
  world.peer->shutdown_write();
  const auto read = world.read_head();
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, ErrorCode::end_of_stream);
}

TEST(ClientExchange, AnAnswerToHeadHasNoBody) {
  ClientWorld world(Method::head);
  EXPECT_TRUE(world.run(world.client.send_head(world.request, "", End::yes, kNoDeadline)));
  world.say("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n");
  ASSERT_TRUE(world.read_head());
  EXPECT_TRUE(world.client.open_body(world.head).ended());
  EXPECT_TRUE(world.client.clean());
}

TEST(ClientExchange, IsNotCleanWhenTheBackendSaidMore) {
  ClientWorld world;
  EXPECT_TRUE(world.run(world.client.send_head(world.request, "", End::yes, kNoDeadline)));
  world.say("HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\n\r\n");
  ASSERT_TRUE(world.read_head());
  EXPECT_TRUE(world.client.open_body(world.head).ended());
  EXPECT_FALSE(world.client.clean());
}

TEST(ClientExchange, GivesWhatFollowsASwitchOfProtocols) {
  ClientWorld world;
  world.say("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\nfirst");
  ASSERT_TRUE(world.read_head());
  EXPECT_TRUE(world.head.switches_protocols());
  EXPECT_EQ(world.client.after_head(), "first");
}

TEST(ClientExchange, AHeadOutlivesTheExchangeWithItsBuffer) {
  ClientWorld world;
  io::Buffer kept;
  {
    ClientExchange client(*world.stream, Method::get, world.arena, kLimits);
    world.say("HTTP/1.1 200 OK\r\nX-One: 1\r\nContent-Length: 0\r\n\r\n");
    ASSERT_TRUE(world.run(client.read_head(world.head, kNoDeadline)));
    kept = client.take_head_buffer();
  }
  EXPECT_EQ(world.head.fields.all()[0].value, "1");
}

}  // namespace
}  // namespace http::h1
