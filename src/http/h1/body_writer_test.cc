#include "http/h1/body_writer.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "http/h1/stream_test.h"

namespace http::h1 {
namespace {

using base::ErrorCode;
using base::kNoDeadline;
using Framing = BodyWriter::Framing;

TEST(BodyWriter, SendsHeadAndFirstPieceInOneWrite) {
  StreamWorld world;
  BodyWriter writer(*world.stream);
  writer.begin(Framing::chunked, 0);
  EXPECT_TRUE(world.run(writer.send("HEAD ", "body", End::yes, kNoDeadline)));
  EXPECT_EQ(world.heard(), "HEAD 4\r\nbody\r\n0\r\n\r\n");
  EXPECT_EQ(world.stream->writes, 1);
  EXPECT_TRUE(writer.ended());
  EXPECT_EQ(writer.bytes_sent(), 19U);
}

TEST(BodyWriter, NeverSendsMoreThanItsLength) {
  StreamWorld world;
  BodyWriter writer(*world.stream);
  writer.begin(Framing::length, 5);
  EXPECT_TRUE(world.run(writer.send("", "abc", End::no, kNoDeadline)));
  const auto sent = world.run(writer.send("", "def", End::no, kNoDeadline));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::protocol);
  EXPECT_EQ(world.heard(), "abc");
  EXPECT_FALSE(writer.ended());
}

TEST(BodyWriter, DoesNotEndBeforeItsLength) {
  StreamWorld world;
  BodyWriter writer(*world.stream);
  writer.begin(Framing::length, 5);
  const auto sent = world.run(writer.send("HEAD ", "abc", End::yes, kNoDeadline));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::protocol);
  EXPECT_FALSE(writer.ended());
  EXPECT_EQ(world.heard(), "");
}

TEST(BodyWriter, AnEmptyPieceIsNoChunk) {
  StreamWorld world;
  BodyWriter writer(*world.stream);
  writer.begin(Framing::chunked, 0);
  EXPECT_TRUE(world.run(writer.send("", "", End::no, kNoDeadline)));
  EXPECT_EQ(world.heard(), "");
  EXPECT_TRUE(world.run(writer.send("", "", End::yes, kNoDeadline)));
  EXPECT_EQ(world.heard(), "0\r\n\r\n");
}

TEST(BodyWriter, DropsTheBodyOfAMessageThatHasNone) {
  StreamWorld world;
  BodyWriter writer(*world.stream);
  writer.begin(Framing::none, 0);
  EXPECT_TRUE(world.run(writer.send("HEAD", "body", End::yes, kNoDeadline)));
  EXPECT_EQ(world.heard(), "HEAD");
}

TEST(BodyWriter, TrailersGoBehindTheLastChunkAndNowhereElse) {
  StreamWorld world;
  Fields trailers(world.arena);
  ASSERT_TRUE(trailers.add("X-Sum", "1"));
  BodyWriter chunked(*world.stream);
  chunked.begin(Framing::chunked, 0);
  EXPECT_TRUE(world.run(chunked.finish(trailers, kNoDeadline)));
  EXPECT_EQ(world.heard(), "0\r\nX-Sum: 1\r\n\r\n");
  BodyWriter open(*world.stream);
  open.begin(Framing::until_close, 0);
  EXPECT_TRUE(world.run(open.finish(trailers, kNoDeadline)));
  EXPECT_EQ(world.heard(), "");
  EXPECT_TRUE(open.ended());
}

TEST(BodyWriter, RefusesATrailerThatWouldBreakTheFraming) {
  StreamWorld world;
  Fields trailers(world.arena);
  ASSERT_TRUE(trailers.add("X-Sum", "1\r\nEvil: 2"));
  BodyWriter writer(*world.stream);
  writer.begin(Framing::chunked, 0);
  const auto sent = world.run(writer.finish(trailers, kNoDeadline));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::invalid);
  EXPECT_EQ(world.heard(), "");
}

TEST(BodyWriter, DeliversThroughAStreamThatTakesOneByteAtATime) {
  StreamWorld world({.capacity = 2, .slice = 1});
  BodyWriter writer(*world.stream);
  writer.begin(Framing::chunked, 0);
  std::optional<base::Result<void>> sent;
  const std::string body(100, 'x');
  world.start(writer.send("HEAD ", body, End::yes, kNoDeadline), sent);
  EXPECT_FALSE(sent);
  EXPECT_EQ(world.heard(), "HEAD 64\r\n" + body + "\r\n0\r\n\r\n");
  ASSERT_TRUE(sent);
  EXPECT_TRUE(*sent);
}

class FileBody : public ::testing::Test {
 protected:
  FileBody() { EXPECT_EQ(::write(file.get(), "0123456789", 10), 10); }
  StreamWorld world{{.sends_files = true}};
  base::Fd file{::memfd_create("file", MFD_CLOEXEC)};
  BodyWriter writer{*world.stream};
};

TEST_F(FileBody, FollowsTheHeadWithinItsLength) {
  writer.begin(Framing::length, 6);
  EXPECT_TRUE(world.run(writer.send("HEAD ", "01", End::no, kNoDeadline)));
  EXPECT_TRUE(world.run(writer.send_file({file.get(), 2, 4}, kNoDeadline)));
  EXPECT_FALSE(writer.ended());
  EXPECT_TRUE(world.run(writer.send("", "", End::yes, kNoDeadline)));
  EXPECT_TRUE(writer.ended());
  EXPECT_EQ(world.heard(), "HEAD 012345");
  EXPECT_EQ(writer.bytes_sent(), 11U);
}

TEST_F(FileBody, NeverSendsMoreThanItsLength) {
  writer.begin(Framing::length, 3);
  const auto sent = world.run(writer.send_file({file.get(), 0, 4}, kNoDeadline));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::protocol);
  EXPECT_EQ(world.heard(), "");
}

TEST_F(FileBody, IsLeftOutOfAnAnswerToHead) {
  writer.begin(Framing::none, 0);
  EXPECT_TRUE(world.run(writer.send_file({file.get(), 0, 4}, kNoDeadline)));
  EXPECT_EQ(world.heard(), "");
}

TEST_F(FileBody, OfAFileThatHasBecomeShorterIsAnError) {
  writer.begin(Framing::length, 20);
  const auto sent = world.run(writer.send_file({file.get(), 0, 20}, kNoDeadline));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::end_of_stream);
}

}  // namespace
}  // namespace http::h1
