#include "http/h1/response_parser.h"

#include <gtest/gtest.h>

#include <string>

#include "http/h1/hostile_heads_test.h"

namespace http::h1 {
namespace {

using Kind = BodyFraming::Kind;

HeadProgress feed_in_slices(std::string_view bytes, std::size_t first, std::size_t step,
                            ResponseHead& head, std::string& buffer) {
  ResponseHeadParser parser(Method::get);
  for (std::size_t size = first;; size += step) {
    size = std::min(size, bytes.size());
    buffer = std::string(bytes.substr(0, size));
    const HeadProgress progress = parser.feed(buffer, head);
    if (progress.state != HeadProgress::State::need_more || size == bytes.size()) return progress;
  }
}

TEST(ResponseHeadParser, RefusesHostileHeadsByNameInAnySlices) {
  EXPECT_GE(hostile_responses().size(), 60U);
  for (const HostileHead& hostile : hostile_responses()) {
    for (std::size_t cut = 1; cut <= hostile.bytes.size(); ++cut) {
      for (const std::size_t step : {hostile.bytes.size(), std::size_t{1}}) {
        base::Arena arena;
        ResponseHead head(arena);
        std::string buffer;
        const auto progress = feed_in_slices(hostile.bytes, cut, step, head, buffer);
        ASSERT_EQ(name_of(progress.refusal), name_of(hostile.refusal))
            << hostile.bytes << "\ncut " << cut;
      }
    }
  }
}

TEST(ResponseHeadParser, ReadsAPlainResponse) {
  constexpr std::string_view kBytes =
      "HTTP/1.1 404 Not \xc3\xa4 Found\r\nContent-Length: 3\r\nX:  y \r\n\r\nabc";
  for (std::size_t cut = 1; cut <= kBytes.size(); ++cut) {
    base::Arena arena;
    ResponseHead head(arena);
    std::string buffer;
    const auto progress = feed_in_slices(kBytes, cut, 1, head, buffer);
    ASSERT_TRUE(progress.done());
    EXPECT_EQ(progress.size, kBytes.size() - 3);
    EXPECT_EQ(head.status, 404);
    EXPECT_EQ(head.reason, "Not \xc3\xa4 Found");
    EXPECT_EQ(head.fields.find("x")->value, "y");
    EXPECT_EQ(head.body, (BodyFraming{Kind::length, 3}));
    EXPECT_TRUE(head.keep_alive);
  }
}

struct Outcome {
  BodyFraming body;
  bool keep_alive;
};

Outcome outcome(Method method, std::string_view text) {
  base::Arena arena;
  ResponseHead head(arena);
  ResponseHeadParser parser(method);
  const HeadProgress progress = parser.feed(text, head);
  EXPECT_TRUE(progress.done()) << text << explain(progress.refusal);
  return {head.body, head.keep_alive};
}

TEST(ResponseHeadParser, FindsTheBodysFraming) {
  EXPECT_EQ(outcome(Method::get, "HTTP/1.1 200 \r\n\r\n").body.kind, Kind::until_close);
  EXPECT_EQ(outcome(Method::get, "HTTP/1.1 200 \r\nContent-Length: 0\r\n\r\n").body.kind,
            Kind::none);
  EXPECT_EQ(outcome(Method::get, "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n").body.kind,
            Kind::chunked);
  EXPECT_EQ(outcome(Method::head, "HTTP/1.1 200 \r\nContent-Length: 5\r\n\r\n").body.kind,
            Kind::none);
  EXPECT_EQ(outcome(Method::head, "HTTP/1.1 200 \r\n\r\n").body.kind, Kind::none);
  EXPECT_EQ(outcome(Method::get, "HTTP/1.1 304 \r\nContent-Length: 5\r\n\r\n").body.kind,
            Kind::none);
  EXPECT_EQ(outcome(Method::get, "HTTP/1.1 204 \r\nContent-Length: 0\r\n\r\n").body.kind,
            Kind::none);
  EXPECT_EQ(outcome(Method::get, "HTTP/1.1 100 \r\n\r\n").body.kind, Kind::none);
}

TEST(ResponseHeadParser, KeepsNoConnectionWhoseBodyEndsByClosing) {
  EXPECT_FALSE(
      outcome(Method::get, "HTTP/1.1 200 OK\r\nConnection: keep-alive\r\n\r\n").keep_alive);
  EXPECT_TRUE(outcome(Method::head, "HTTP/1.1 200 OK\r\n\r\n").keep_alive);
  EXPECT_FALSE(outcome(Method::get, "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\n").keep_alive);
  EXPECT_TRUE(outcome(Method::get,
                      "HTTP/1.0 200 OK\r\nContent-Length: 1\r\n"
                      "Connection: keep-alive\r\n\r\n")
                  .keep_alive);
}

TEST(ResponseHeadParser, ReadsTheFinalResponseAfterAnInterimOne) {
  std::string_view buffered =
      "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\n";
  base::Arena arena;
  ResponseHeadParser parser(Method::get);
  ResponseHead head(arena);
  HeadProgress progress = parser.feed(buffered, head);
  ASSERT_TRUE(progress.done());
  EXPECT_TRUE(head.is_interim());
  buffered.remove_prefix(progress.size);
  parser.reset();
  progress = parser.feed(buffered, head);
  ASSERT_TRUE(progress.done());
  EXPECT_FALSE(head.is_interim());
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.fields.count(), 1U);
}

TEST(ResponseHeadParser, FlagsAnUpgrade) {
  base::Arena arena;
  ResponseHead head(arena);
  ResponseHeadParser parser(Method::get);
  ASSERT_TRUE(parser
                  .feed("HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\n"
                        "Upgrade: websocket\r\n\r\n\x81",
                        head)
                  .done());
  EXPECT_TRUE(head.switches_protocols());
  EXPECT_FALSE(head.is_interim());
  EXPECT_TRUE(head.upgrade);
}

}  // namespace
}  // namespace http::h1
