#include "http/h1/response_sender.h"

#include <gtest/gtest.h>

#include "http/h1/stream_test.h"

namespace http::h1 {
namespace {

using base::kNoDeadline;
using Kind = BodyFraming::Kind;

struct SenderWorld : StreamWorld {
  RequestHead request{arena};
  ResponseHead head{arena};
  explicit SenderWorld(Version version = Version::http_1_1, Method method = Method::get) {
    request.version = version;
    request.method = method;
    request.keep_alive = true;
    head.status = 200;
  }
  /// What arrives when `head` is sent with `body` as its first and only piece.
  std::string whole(BodyFraming framing, std::string_view body, bool* keeps_alive = nullptr) {
    head.body = framing;
    ResponseSender sender(*stream, request);
    EXPECT_TRUE(run(sender.send_head(head, body, End::yes, kNoDeadline)));
    EXPECT_TRUE(sender.ended());
    EXPECT_EQ(stream->writes, 1);
    const std::string all = heard();
    EXPECT_EQ(sender.bytes_sent(), all.size());
    if (keeps_alive != nullptr) *keeps_alive = sender.keeps_alive();
    return all;
  }
};

TEST(ResponseSender, ChoosesTheFramingByVersionAndWhatIsKnown) {
  bool keeps = false;
  EXPECT_EQ(SenderWorld().whole({Kind::length, 2}, "ab", &keeps),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab");
  EXPECT_TRUE(keeps);
  EXPECT_EQ(SenderWorld().whole({Kind::none}, ""), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  for (const Kind kind : {Kind::chunked, Kind::until_close}) {
    EXPECT_EQ(SenderWorld().whole({kind}, "ab", &keeps),
              "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n");
    EXPECT_TRUE(keeps);
    EXPECT_EQ(SenderWorld(Version::http_1_0).whole({kind}, "ab", &keeps),
              "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nab");
    EXPECT_FALSE(keeps);
  }
  EXPECT_EQ(SenderWorld(Version::http_1_0).whole({Kind::length, 2}, "ab", &keeps),
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: keep-alive\r\n\r\nab");
  EXPECT_TRUE(keeps);
}

TEST(ResponseSender, SendsNoBodyWhereThereCanBeNone) {
  EXPECT_EQ(SenderWorld(Version::http_1_1, Method::head).whole({Kind::length, 2}, "ab"),
            "HTTP/1.1 200 OK\r\n\r\n");
  SenderWorld told(Version::http_1_1, Method::head);
  ASSERT_TRUE(told.head.fields.add(FieldName::content_length, "2"));
  EXPECT_EQ(told.whole({Kind::none}, ""), "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n");
  SenderWorld empty;
  empty.head.status = 204;
  EXPECT_EQ(empty.whole({Kind::chunked}, "ab"), "HTTP/1.1 204 No Content\r\n\r\n");
  SenderWorld unchanged;
  unchanged.head.status = 304;
  EXPECT_EQ(unchanged.whole({Kind::length, 2}, "ab"), "HTTP/1.1 304 Not Modified\r\n\r\n");
}

TEST(ResponseSender, SaysThatItCloses) {
  SenderWorld world;
  ResponseSender sender(*world.stream, world.request);
  sender.close_after();
  EXPECT_TRUE(world.run(sender.send_head(world.head, {}, End::yes, kNoDeadline)));
  EXPECT_EQ(world.heard(), "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  EXPECT_FALSE(sender.keeps_alive());
  SenderWorld last;
  last.request.keep_alive = false;
  EXPECT_EQ(last.whole({}, ""),
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
}

TEST(ResponseSender, KeepsItsPromiseOfALength) {
  SenderWorld world;
  world.head.body = {Kind::length, 3};
  ResponseSender sender(*world.stream, world.request);
  EXPECT_TRUE(world.run(sender.send_head(world.head, "ab", End::no, kNoDeadline)));
  EXPECT_FALSE(world.run(sender.send_body("cd", End::yes, kNoDeadline)));
  EXPECT_FALSE(sender.ended());
  EXPECT_FALSE(sender.keeps_alive());
}

TEST(ResponseSender, InterimResponsesGoBeforeAndNotToHttp10) {
  SenderWorld world;
  ResponseHead early(world.arena);
  early.status = 103;
  ASSERT_TRUE(early.fields.add("Link", "</a>"));
  ResponseSender sender(*world.stream, world.request);
  EXPECT_TRUE(world.run(sender.send_interim(early, kNoDeadline)));
  EXPECT_FALSE(sender.head_sent());
  EXPECT_TRUE(world.run(sender.send_head(world.head, {}, End::yes, kNoDeadline)));
  EXPECT_EQ(world.heard(),
            "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
            "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
  SenderWorld old(Version::http_1_0);
  ResponseSender none(*old.stream, old.request);
  EXPECT_TRUE(old.run(none.send_interim(early, kNoDeadline)));
  EXPECT_EQ(old.heard(), "");
}

TEST(ResponseSender, RefusesAHeadThatWouldBecomeTwo) {
  SenderWorld world;
  ASSERT_TRUE(world.head.fields.add("X", "1\r\n\r\nHTTP/1.1 200 OK"));
  ResponseSender sender(*world.stream, world.request);
  EXPECT_FALSE(world.run(sender.send_head(world.head, {}, End::yes, kNoDeadline)));
  EXPECT_EQ(world.heard(), "");
  EXPECT_FALSE(sender.head_sent());
}

}  // namespace
}  // namespace http::h1
