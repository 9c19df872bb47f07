#include "http/h1/request_parser.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "http/h1/hostile_heads_test.h"

namespace http::h1 {
namespace {

using Kind = BodyFraming::Kind;

struct Parsed {
  base::Arena arena;
  RequestHead head{arena};
  HeadProgress progress;
};

void parse(std::string_view bytes, Parsed& into, const HeadLimits& limits = {}) {
  RequestHeadParser parser(limits);
  into.progress = parser.feed(bytes, into.head);
}

Refusal refusal_of(std::string_view bytes, const HeadLimits& limits = {}) {
  Parsed parsed;
  parse(bytes, parsed, limits);
  EXPECT_EQ(parsed.progress.refused(), parsed.progress.refusal != Refusal::none);
  return parsed.progress.refusal;
}

// The buffer moves at each call, so a view that is made too early is seen by ASan.
HeadProgress feed_in_slices(std::string_view bytes, std::size_t first, std::size_t step,
                            RequestHead& head, std::string& buffer) {
  RequestHeadParser parser;
  for (std::size_t size = first;; size += step) {
    size = std::min(size, bytes.size());
    buffer = std::string(bytes.substr(0, size));
    buffer.shrink_to_fit();
    const HeadProgress progress = parser.feed(buffer, head);
    if (progress.state != HeadProgress::State::need_more || size == bytes.size()) return progress;
  }
}

std::string summary(const RequestHead& head) {
  std::string text(head.method_text);
  for (const std::string_view part :
       {head.target, head.host, head.raw_path, head.query, head.authority}) {
    text.append(" ").append(part);
  }
  text.append(" ").append(std::to_string(head.body.length));
  for (const Field& field : head.fields) {
    text.append("\n").append(field.name).append("=").append(field.value);
  }
  return text;
}

constexpr std::string_view kGoodRequests[] = {
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "\r\n\r\nGET /a?b=c HTTP/1.1\r\nHost: Example.COM:8080\r\nX:\r\n\r\n",
    "POST /a HTTP/1.1\r\nhost:\tb \r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "POST /a HTTP/1.1\r\nHost: [::1]:80\r\nTransfer-Encoding: Chunked\r\n\r\n0\r\n\r\n",
    "GET http://User.Example/x?y HTTP/1.1\r\nHost: other\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
    "GET / HTTP/1.0\r\n\r\nGET / HTTP/1.1\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\nX: \xc3\xa4 \t b\r\nConnection: Upgrade\r\nUpgrade: "
    "websocket\r\n\r\n",
};

TEST(RequestHeadParser, RefusesHostileHeadsByName) {
  EXPECT_GE(hostile_requests().size(), 150U);
  for (const HostileHead& hostile : hostile_requests()) {
    EXPECT_EQ(name_of(refusal_of(hostile.bytes)), name_of(hostile.refusal))
        << ::testing::PrintToString(std::string(hostile.bytes));
  }
}

TEST(RequestHeadParser, AnswersTheSameForHostileHeadsInAnySlices) {
  for (const HostileHead& hostile : hostile_requests()) {
    for (std::size_t cut = 1; cut < hostile.bytes.size(); ++cut) {
      Parsed parsed;
      std::string buffer;
      const auto two =
          feed_in_slices(hostile.bytes, cut, hostile.bytes.size(), parsed.head, buffer);
      ASSERT_EQ(name_of(two.refusal), name_of(hostile.refusal)) << hostile.bytes << "\ncut " << cut;
    }
    Parsed parsed;
    std::string buffer;
    const auto bytewise = feed_in_slices(hostile.bytes, 1, 1, parsed.head, buffer);
    ASSERT_EQ(name_of(bytewise.refusal), name_of(hostile.refusal)) << hostile.bytes;
  }
}

TEST(RequestHeadParser, AnswersTheSameForGoodHeadsInAnySlices) {
  for (const std::string_view good : kGoodRequests) {
    Parsed whole;
    parse(good, whole);
    ASSERT_TRUE(whole.progress.done()) << good << explain(whole.progress.refusal);
    for (std::size_t cut = 1; cut < good.size(); ++cut) {
      for (const std::size_t step : {good.size(), std::size_t{1}}) {
        Parsed sliced;
        std::string buffer;
        const auto progress = feed_in_slices(good, cut, step, sliced.head, buffer);
        ASSERT_TRUE(progress.done()) << good;
        EXPECT_EQ(progress.size, whole.progress.size);
        EXPECT_EQ(summary(sliced.head), summary(whole.head));
      }
    }
  }
}

TEST(RequestHeadParser, TellsTheLineOfAHeadThatWasNeverComplete) {
  base::Arena arena;
  RequestHead head(arena);
  RequestHeadParser parser;
  const std::string_view begun = "GET /x HT";
  EXPECT_FALSE(parser.feed(begun, head).done());
  parser.take_line(begun, head);
  EXPECT_EQ(head.method_text, "");
  const std::string more = "GET /x HTTP/1.0\r\nHo";
  EXPECT_FALSE(parser.feed(more, head).done());
  parser.take_line(more, head);
  EXPECT_EQ(head.method_text, "GET");
  EXPECT_EQ(head.target, "/x");
  EXPECT_EQ(head.version, Version::http_1_0);
  EXPECT_GE(head.target.data(), more.data());
}

TEST(RequestHeadParser, LeavesWhatFollowsTheHeadAlone) {
  Parsed parsed;
  parse("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n\0\n\rGET", parsed);
  ASSERT_TRUE(parsed.progress.done());
  EXPECT_EQ(parsed.progress.size, 28U);
}

TEST(RequestHeadParser, SplitsTheOriginForm) {
  Parsed parsed;
  parse("GET /a%20b;c?d=e?f HTTP/1.1\r\nHost: Example.com.:8443\r\n\r\n", parsed);
  ASSERT_TRUE(parsed.progress.done());
  EXPECT_EQ(parsed.head.method, Method::get);
  EXPECT_EQ(parsed.head.form, TargetForm::origin);
  EXPECT_EQ(parsed.head.raw_path, "/a%20b;c");
  EXPECT_EQ(parsed.head.query, "d=e?f");
  EXPECT_TRUE(parsed.head.has_query);
  EXPECT_EQ(parsed.head.host, "example.com");
  EXPECT_EQ(parsed.head.port, 8443);
  EXPECT_TRUE(parsed.head.keep_alive);
  EXPECT_EQ(parsed.head.body.kind, Kind::none);
}

TEST(RequestHeadParser, LetsTheAbsoluteFormWinOverHost) {
  Parsed parsed;
  parse("GET HTTPS://A.example:81?q HTTP/1.1\r\nHost: b\r\n\r\n", parsed);
  ASSERT_TRUE(parsed.progress.done());
  EXPECT_EQ(parsed.head.form, TargetForm::absolute);
  EXPECT_EQ(parsed.head.scheme, "HTTPS");
  EXPECT_EQ(parsed.head.authority, "A.example:81");
  EXPECT_EQ(parsed.head.host, "a.example");
  EXPECT_EQ(parsed.head.port, 81);
  EXPECT_EQ(parsed.head.raw_path, "/");
  EXPECT_EQ(parsed.head.query, "q");
}

TEST(RequestHeadParser, KeepsTheAsteriskOfOptions) {
  Parsed parsed;
  parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", parsed);
  ASSERT_TRUE(parsed.progress.done());
  EXPECT_EQ(parsed.head.form, TargetForm::asterisk);
  EXPECT_EQ(parsed.head.raw_path, "*");
}

TEST(RequestHeadParser, FindsTheBodysFraming) {
  const auto framing = [](std::string_view fields) {
    Parsed parsed;
    parse("POST / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n", parsed);
    EXPECT_TRUE(parsed.progress.done()) << fields;
    return parsed.head.body;
  };
  EXPECT_EQ(framing("").kind, Kind::none);
  EXPECT_EQ(framing("Content-Length: 0\r\n").kind, Kind::none);
  EXPECT_EQ(framing("Content-Length: 0007\r\n"), (BodyFraming{Kind::length, 7}));
  EXPECT_EQ(framing("content-length:9223372036854775807\r\n"),
            (BodyFraming{Kind::length, 9223372036854775807U}));
  EXPECT_EQ(framing("Transfer-Encoding:  CHUNKED\t\r\n").kind, Kind::chunked);
}

TEST(RequestHeadParser, ReadsPersistenceFromVersionAndConnection) {
  const auto keep_alive = [](std::string_view version, std::string_view fields) {
    Parsed parsed;
    std::string text = "GET / ";
    text.append(version).append("\r\nHost: a\r\n").append(fields).append("\r\n");
    parse(text, parsed);
    EXPECT_TRUE(parsed.progress.done());
    return parsed.head.keep_alive;
  };
  EXPECT_TRUE(keep_alive("HTTP/1.1", ""));
  EXPECT_FALSE(keep_alive("HTTP/1.1", "Connection: Close\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.1", "Connection: keep-alive\r\nConnection: x, close\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.0", ""));
  EXPECT_TRUE(keep_alive("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keep_alive("HTTP/1.0", "Connection: keep-alive, close\r\n"));
}

TEST(RequestHeadParser, ReportsAnUpgradeOnlyWhenConnectionNamesIt) {
  const auto upgrade = [](std::string_view fields) {
    Parsed parsed;
    parse("GET / HTTP/1.1\r\nHost: a\r\n" + std::string(fields) + "\r\n", parsed);
    return parsed.head.upgrade;
  };
  EXPECT_TRUE(upgrade("Connection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n"));
  EXPECT_FALSE(upgrade("Upgrade: websocket\r\n"));
  EXPECT_FALSE(upgrade("Connection: upgrade\r\n"));
}

TEST(RequestHeadParser, ReportsAnExpectationOnlyWhereThereIsABody) {
  const auto expects = [](std::string_view text) {
    Parsed parsed;
    parse(text, parsed);
    return parsed.head.expect_continue;
  };
  EXPECT_TRUE(
      expects("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n"));
  EXPECT_FALSE(expects("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n"));
  EXPECT_FALSE(expects("PUT / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"));
}

TEST(RequestHeadParser, HoldsItsLimitsToTheByte) {
  const HeadLimits limits{.max_line = 20, .max_total = 60, .max_fields = 2};
  const auto with = [](std::string_view target, std::string_view fields) {
    return "GET " + std::string(target) + " HTTP/1.1\r\n" + std::string(fields) + "\r\n";
  };
  EXPECT_EQ(refusal_of(with("/234567", "Host: a\r\n"), limits), Refusal::none);
  EXPECT_EQ(refusal_of(with("/2345678", "Host: a\r\n"), limits), Refusal::uri_too_long);
  EXPECT_EQ(refusal_of(with("/", "Host: 78901234567890\r\n"), limits), Refusal::none);
  EXPECT_EQ(refusal_of(with("/", "Host: 789012345678901\r\n"), limits), Refusal::line_too_long);
  EXPECT_EQ(refusal_of(with("/", "Host: a\r\nX: b\r\n"), limits), Refusal::none);
  EXPECT_EQ(refusal_of(with("/", "Host: a\r\nX: b\r\nY: c\r\n"), limits), Refusal::too_many_fields);
  EXPECT_EQ(refusal_of(with("/", "X: 45678901234567890\r\nHost: 789012345678\r\n"), limits),
            Refusal::none);
  EXPECT_EQ(refusal_of(with("/", "X: 45678901234567890\r\nHost: 7890123456789\r\n"), limits),
            Refusal::head_too_large);
}

TEST(RequestHeadParser, RefusesALongLineBeforeItEnds) {
  const HeadLimits limits{.max_line = 20, .max_total = 1000, .max_fields = 2};
  EXPECT_EQ(refusal_of("GET /2345678901234567", limits), Refusal::uri_too_long);
  EXPECT_EQ(refusal_of("GET / HTTP/1.1\r\nX: 456789012345678901", limits), Refusal::line_too_long);
}

TEST(RequestHeadParser, AnswersBeforeTheHeadIsCompleteWhereItCan) {
  for (const std::string_view early : {"GET /\r\n", "get / HTTP/1.1\r\n", "GET /\n", "\x16\x03"}) {
    EXPECT_NE(refusal_of(early), Refusal::none) << early;
  }
}

TEST(RequestHeadParser, ServesPipelinedRequestsAfterReset) {
  std::string_view buffered =
      "GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n";
  base::Arena arena;
  RequestHeadParser parser;
  for (const std::string_view path : {"/1", "/2"}) {
    RequestHead head(arena);
    const HeadProgress progress = parser.feed(buffered, head);
    ASSERT_TRUE(progress.done());
    EXPECT_EQ(head.raw_path, path);
    buffered.remove_prefix(progress.size);
    parser.reset();
  }
  EXPECT_TRUE(buffered.empty());
}

TEST(RequestHeadParser, LooksAtEachByteOnce) {
  // A scan that began anew at each call would need 2^31 steps here.
  constexpr std::size_t kSize = 1 << 17;
  const HeadLimits limits{.max_line = kSize, .max_total = 2 * kSize, .max_fields = 10};
  std::string bytes = "GET / HTTP/1.1\r\nHost: a\r\nX: ";
  bytes.append(kSize / 2, 'x').append("\r\n\r\n");
  base::Arena arena;
  RequestHead head(arena);
  RequestHeadParser parser(limits);
  for (std::size_t size = 1; size < bytes.size(); ++size) {
    ASSERT_EQ(parser.feed(std::string_view(bytes).substr(0, size), head).state,
              HeadProgress::State::need_more);
  }
  EXPECT_TRUE(parser.feed(bytes, head).done());
}

TEST(Refusal, HasANameASentenceAndAClientError) {
  for (std::size_t i = 1; i < kRefusalCount; ++i) {
    const auto refusal = static_cast<Refusal>(i);
    EXPECT_FALSE(name_of(refusal).empty());
    EXPECT_FALSE(explain(refusal).empty());
    EXPECT_GE(status_of(refusal), 400U);
  }
  EXPECT_EQ(status_of(Refusal::uri_too_long), 414U);
  EXPECT_EQ(status_of(Refusal::head_too_large), 431U);
  EXPECT_EQ(status_of(Refusal::transfer_encoding_unknown), 501U);
  EXPECT_EQ(status_of(Refusal::unsupported_version), 505U);
  EXPECT_EQ(status_of(Refusal::connect), 405U);
}

}  // namespace
}  // namespace http::h1
