// The filters as sinks: what they make of pieces of every size, and what they do to heads.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "async/scope.h"
#include "base/gzip.h"
#include "config/testing/loaded.h"
#include "filter/charset.h"
#include "filter/filter_plan.h"
#include "filter/gunzip.h"
#include "filter/gzip.h"
#include "filter/head_changes.h"
#include "filter/sub.h"

namespace filter {
namespace {

using http::FieldName;
using http::Then;
using ::testing::Contains;
using ::testing::HasSubstr;

struct Collector final : http::BodySink {
  std::string text;
  std::size_t writes = 0;
  std::size_t flushes = 0;
  std::size_t largest = 0;
  bool ended = false;

  async::Task<base::Result<void>> write(std::string_view piece, Then then,
                                        io::Patience /*patience*/) override {
    EXPECT_FALSE(ended);
    text += piece;
    ++writes;
    largest = std::max(largest, piece.size());
    flushes += then == Then::flush ? 1 : 0;
    ended = then == Then::end;
    co_return base::Result<void>{};
  }
};

async::Task<void> keep(async::Task<base::Result<void>> task,
                       std::optional<base::Result<void>>* into) {
  into->emplace(co_await std::move(task));
}

// What comes out of the filter, or nothing if it has failed.
std::optional<Collector*> push(BodyFilter& filter, Collector& collector, std::string_view text,
                               std::size_t piece, Then between = Then::more) {
  filter.set_next(collector);
  const auto write = [&](std::string_view part, Then then) {
    async::Scope scope;
    std::optional<base::Result<void>> result;
    scope.spawn(keep(filter.write(part, then, base::kNoDeadline), &result));
    CHECK(result.has_value());
    return result->has_value();
  };
  for (std::size_t at = 0; at < text.size(); at += piece) {
    if (!write(text.substr(at, piece), between)) return std::nullopt;
  }
  if (!write({}, Then::end)) return std::nullopt;
  EXPECT_TRUE(collector.ended);
  return &collector;
}

std::string text_of(std::size_t size) {
  std::string text;
  for (std::size_t i = 0; text.size() < size; ++i) text += "line " + std::to_string(i * i) + "\n";
  text.resize(size);
  return text;
}

std::string unpack(const std::string& packed) {
  Collector collector;
  GunzipFilter gunzip(4096);
  return push(gunzip, collector, packed, packed.size() + 1) ? collector.text : "broken";
}

TEST(GzipFilter, PacksPiecesOfAnySize) {
  const std::string text = text_of(5000);
  for (const std::uint64_t postpone : {0UL, 100UL, 10'000UL}) {
    for (const std::size_t piece : {1UL, 7UL, 10'000UL}) {
      GzipOptions options;
      options.postpone = postpone;
      options.buffers = FilterBuffers{.number = 1, .size = 64};
      exchange::GzipRatio ratio;
      GzipFilter filter(options, {}, ratio);
      Collector collector;
      ASSERT_TRUE(push(filter, collector, text, piece));
      EXPECT_EQ(unpack(collector.text), text);
      EXPECT_LE(collector.largest, 64U);
      EXPECT_EQ(ratio.in, text.size());
      EXPECT_EQ(ratio.out, collector.text.size());
    }
  }
}

TEST(GzipFilter, PacksNothingAtAll) {
  GzipOptions options;
  exchange::GzipRatio ratio;
  GzipFilter filter(options, {}, ratio);
  Collector collector;
  ASSERT_TRUE(push(filter, collector, {}, 1));
  EXPECT_EQ(unpack(collector.text), "");
  EXPECT_EQ(collector.writes, 1U);
}

TEST(GzipFilter, PassesAFlushOn) {
  GzipOptions options;
  exchange::GzipRatio ratio;
  GzipFilter filter(options, {}, ratio);
  Collector collector;
  ASSERT_TRUE(push(filter, collector, "abc", 1, Then::flush));
  EXPECT_EQ(collector.flushes, 3U);
  EXPECT_EQ(unpack(collector.text), "abc");
}

TEST(FilterBuffers, HaveRoomForAByteAndForSixtyFourKilobytesAtMost) {
  EXPECT_EQ((FilterBuffers{.number = 1, .size = 1}.room()), 1U);
  EXPECT_EQ((FilterBuffers{.number = 4, .size = 1024}.room()), 4096U);
  EXPECT_EQ((FilterBuffers{.number = ~0UL, .size = ~0UL}.room()), FilterBuffers::kMost);
  EXPECT_EQ((FilterBuffers{.number = ~0UL, .size = 2}.room()), FilterBuffers::kMost);
}

TEST(GunzipFilter, UnpacksPiecesOfAnySize) {
  const std::string text = text_of(5000);
  const std::string packed = base::gzip(text.substr(0, 2000), 6) + base::gzip(text.substr(2000), 1);
  for (const std::size_t piece : {1UL, 3UL, 10'000UL}) {
    GunzipFilter filter(100);
    Collector collector;
    ASSERT_TRUE(push(filter, collector, packed, piece));
    EXPECT_EQ(collector.text, text);
    EXPECT_LE(collector.largest, 100U);
  }
}

TEST(GunzipFilter, FailsAtWhatIsBrokenOrMissing) {
  const std::string packed = base::gzip("text", 1);
  for (const std::string& text : {packed.substr(0, packed.size() - 1), packed + "x", std::string(),
                                  std::string("no gzip at all")}) {
    GunzipFilter filter(100);
    Collector collector;
    EXPECT_FALSE(push(filter, collector, text, 4));
    EXPECT_FALSE(collector.ended);
  }
}

class SubTest : public ::testing::Test, protected config::testing::Loaded {
 protected:
  SubTest() : Loaded(kSubFeature) {}
  void load(const std::string& in_server) {
    interpret("http { server { " + in_server + " } }");
    plan_ = plan_sub(server(), variables_, diagnostics_);
    variables_.finish(diagnostics_);
  }
  void backend_sent(std::string_view name, std::string_view value) {
    ASSERT_TRUE(exchange_.response.fields.add(name, value));
  }
  std::string filtered(std::string_view text, std::size_t piece) {
    exchange_.response.status = 200;
    BodyFilters filters;
    EXPECT_TRUE(start_sub(*plan_, exchange_, filters));
    if (filters.empty()) return std::string(text);
    Collector collector;
    return push(*filters.front(), collector, text, piece) ? collector.text : "failed";
  }

  script::Variables variables_;
  exchange::Connection connection_;
  base::Arena arena_;
  exchange::Exchange exchange_{connection_, arena_};
  std::shared_ptr<const SubPlan> plan_;
};

TEST_F(SubTest, ReplacesInPiecesOfAnySize) {
  load("sub_filter abc x; sub_filter b yy; sub_filter_once off;");
  for (const std::size_t piece : {1UL, 2UL, 100UL}) {
    EXPECT_EQ(filtered("abcbabab", piece), "xyyayyayy");
  }
}

TEST_F(SubTest, LevelsWithoutPatternsHaveNoPlan) {
  load("");
  EXPECT_EQ(plan_, nullptr);
}

TEST_F(SubTest, EvaluatesPatternsAndTexts) {
  load("sub_filter $arg_a [$arg_b]; sub_filter_once off;");
  exchange_.args = "a=AB&b=c";
  EXPECT_EQ(filtered("xabx", 1), "x[c]x");
  exchange_.args = "b=c";
  EXPECT_EQ(filtered("xabx", 1), "xabx");
}

TEST_F(SubTest, ChangesTheHead) {
  load("sub_filter a b;");
  backend_sent("Content-Length", "4");
  backend_sent("Accept-Ranges", "bytes");
  backend_sent("Last-Modified", "Sun, 06 Nov 1994 08:49:37 GMT");
  backend_sent("ETag", "\"x\"");
  exchange_.response.body = {http::BodyFraming::Kind::length, 4};
  EXPECT_EQ(filtered("abab", 1), "bbab");
  EXPECT_TRUE(exchange_.response.fields.empty());
  EXPECT_EQ(exchange_.response.body.kind, http::BodyFraming::Kind::chunked);
}

TEST_F(SubTest, EndsTheExchangeWherePatternsOfARequestAreTooLong) {
  load("sub_filter $arg_a x;");
  const std::string args = "a=" + std::string(PatternSet::kMaxBytes + 1, 'a');
  exchange_.args = args;
  BodyFilters filters;
  EXPECT_FALSE(start_sub(*plan_, exchange_, filters));
  EXPECT_EQ(exchange_.failure.kind, exchange::EvaluationFailure::Kind::too_long);
  exchange_.args = std::string_view(args).substr(0, args.size() - 1);
  EXPECT_TRUE(start_sub(*plan_, exchange_, filters));
}

TEST_F(SubTest, RefusesPatternsThatAreTooLongTogether) {
  const std::string half(PatternSet::kMaxBytes / 2 + 1, 'a');
  load("sub_filter " + half + " x; sub_filter " + half + " y;");
  EXPECT_THAT(messages(), Contains(HasSubstr("search patterns are longer than 64k")));
}

TEST_F(SubTest, RefusesMoreThan255Patterns) {
  std::string text;
  for (int i = 0; i < 256; ++i) text += "sub_filter a" + std::to_string(i) + " x; ";
  interpret("http { " + text + " }");
  EXPECT_THAT(messages(), Contains(HasSubstr("number of search patterns exceeds 255")));
}

TEST_F(SubTest, RefusesAnEmptyPattern) {
  interpret("http { sub_filter '' x; }");
  EXPECT_THAT(messages(), Contains(HasSubstr("empty search pattern")));
}

TEST(HeadChanges, WeakenAnETagOnce) {
  const exchange::Connection connection;
  base::Arena arena;
  exchange::Exchange exchange(connection, arena);
  ASSERT_TRUE(exchange.response.fields.add(FieldName::etag, "\"x\""));
  weaken_etag(exchange);
  weaken_etag(exchange);
  EXPECT_EQ(exchange.response.fields.value(FieldName::etag), "W/\"x\"");
  ASSERT_TRUE(exchange.response.fields.set(FieldName::etag, "x"));
  weaken_etag(exchange);
  EXPECT_FALSE(exchange.response.fields.has(FieldName::etag));
}

TEST(GzipAcceptance, ReadsAcceptEncoding) {
  for (const std::string_view text : {"gzip", "br, GZIP", "gzip;q=0.1", "gzip ; q=1.0, x"}) {
    EXPECT_TRUE(accepts_gzip(text)) << text;
  }
  for (const std::string_view text : {"", "gzi", "xgzip", "gzip;q=0", "gzip;q=", "gzip;q=1.1",
                                      "gzip;q=0.0001", "gzip;q=0.1x", "br"}) {
    EXPECT_FALSE(accepts_gzip(text)) << text;
  }
}

TEST(ContentTypeOf, TellsTheTypeFromItsCharset) {
  const exchange::Connection connection;
  base::Arena arena;
  exchange::Exchange exchange(connection, arena);
  const auto parts = [&](std::string_view value) {
    EXPECT_TRUE(exchange.response.fields.set(FieldName::content_type, value));
    const ContentType type = content_type_of(exchange);
    return std::string(type.type) + "|" + std::string(type.charset);
  };
  EXPECT_EQ(parts("text/html"), "text/html|");
  EXPECT_EQ(parts("text/html; Charset=\"a\""), "text/html|a");
  EXPECT_EQ(parts("text/html;charset=a"), "text/html|a");
  EXPECT_EQ(parts("text/html; b=c"), "text/html; b=c|");
}

}  // namespace
}  // namespace filter
