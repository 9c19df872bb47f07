// Filters before the connection: what leaves when, and with what.
#include "proxy/filtering_responder.h"

#include <gtest/gtest.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "async/scope.h"
#include "base/arena.h"
#include "io/testing/fake_clock.h"

namespace proxy {
namespace {

using base::ErrorCode;
using base::kNoDeadline;
using http::End;
using http::Then;

// Writes down what it is told: "head:abc", "body:def", "end", "trailers".
class WritingResponder final : public http::Responder {
 public:
  std::vector<std::string> calls;
  bool fails = false;

  async::Task<base::Result<void>> send_interim(const http::ResponseHead& /*head*/,
                                               io::Patience /*patience*/) override {
    return note("interim", End::no);
  }
  async::Task<base::Result<void>> send_head(const http::ResponseHead& /*head*/,
                                            std::string_view first, End end,
                                            io::Patience /*patience*/) override {
    head_sent_ = true;
    return note("head:" + std::string(first), end);
  }
  async::Task<base::Result<void>> send_body(std::string_view piece, End end,
                                            io::Patience /*patience*/) override {
    return note("body:" + std::string(piece), end);
  }
  bool sends_files() const noexcept override { return true; }
  async::Task<base::Result<void>> send_file(io::FileBytes /*bytes*/,
                                            io::Patience /*patience*/) override {
    return note("file", End::no);
  }
  async::Task<base::Result<void>> finish(const http::Fields& trailers,
                                         io::Patience /*patience*/) override {
    return note("trailers:" + std::to_string(trailers.count()), End::yes);
  }
  void close_after() noexcept override { calls.emplace_back("close"); }
  void forbid_chunks() noexcept override {}
  bool head_sent() const noexcept override { return head_sent_; }
  bool ended() const noexcept override { return ended_; }
  std::uint64_t bytes_sent() const noexcept override { return 7; }
  std::uint64_t head_bytes_sent() const noexcept override { return 3; }

 private:
  async::Task<base::Result<void>> note(std::string what, End end) {
    if (fails) co_return base::fail(ErrorCode::reset);
    if (end == End::yes) ended_ = true;
    calls.push_back(std::move(what) + (end == End::yes ? "$" : ""));
    co_return base::Result<void>{};
  }
  bool head_sent_ = false;
  bool ended_ = false;
};

// Holds everything back until it is flushed or ends, and puts its mark before what it lets out.
class HoldingFilter final : public filter::BodyFilter {
 public:
  explicit HoldingFilter(std::string mark) : mark_(std::move(mark)) {}
  async::Task<base::Result<void>> write(std::string_view piece, Then then,
                                        io::Patience patience) override {
    if (piece == "bad") co_return base::fail(ErrorCode::protocol, "broken");
    held_ += piece;
    if (then == Then::more) co_return base::Result<void>{};
    const std::string out = mark_ + std::exchange(held_, {});
    co_return co_await next().write(out, then, patience);
  }

 private:
  std::string mark_;
  std::string held_;
};

template <class T>
async::Task<void> keep(async::Task<T> task, std::optional<T>* into) {
  into->emplace(co_await std::move(task));
}
template <class T>
T run(async::Task<T> task) {
  async::Scope scope;
  std::optional<T> result;
  scope.spawn(keep(std::move(task), &result));
  CHECK(result.has_value());
  return *std::move(result);
}

struct Chain {
  explicit Chain(Then between) {
    filter::BodyFilters filters;
    filters.push_back(std::make_unique<HoldingFilter>("a"));
    filters.push_back(std::make_unique<HoldingFilter>("b"));
    responder.emplace(inner, loop, std::move(filters), Pace::Limits{}, between,
                      [this](const base::Error& error) { failures.emplace_back(error.context); });
  }
  bool head(std::string_view first, End end) {
    return run(responder->send_head(response, first, end, kNoDeadline)).has_value();
  }
  bool body(std::string_view piece, End end) {
    return run(responder->send_body(piece, end, kNoDeadline)).has_value();
  }
  using Calls = std::vector<std::string>;

  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  base::Arena arena;
  http::ResponseHead response{arena};
  WritingResponder inner;
  std::vector<std::string> failures;
  std::optional<FilteringResponder> responder;
};

TEST(FilteringResponder, SendsAWholeResponseInOneCall) {
  Chain chain(Then::more);
  EXPECT_TRUE(chain.head("x", End::yes));
  EXPECT_EQ(chain.inner.calls, Chain::Calls{"head:bax$"});
  EXPECT_TRUE(chain.responder->ended());
}

TEST(FilteringResponder, SendsTheHeadAtOnceAlsoIfTheBodyIsHeldBack) {
  Chain chain(Then::more);
  EXPECT_TRUE(chain.head("x", End::no));
  EXPECT_TRUE(chain.body("y", End::no));
  EXPECT_EQ(chain.inner.calls, Chain::Calls{"head:"});
  EXPECT_TRUE(chain.body("z", End::yes));
  EXPECT_EQ(chain.inner.calls, (Chain::Calls{"head:", "body:baxyz$"}));
}

TEST(FilteringResponder, FlushesEachPieceWhereNothingMayBeHeldBack) {
  Chain chain(Then::flush);
  EXPECT_TRUE(chain.head("x", End::no));
  EXPECT_TRUE(chain.body("y", End::no));
  EXPECT_EQ(chain.inner.calls, (Chain::Calls{"head:bax", "body:bay"}));
}

TEST(FilteringResponder, EndsWithTrailersBehindWhatWasHeldBack) {
  Chain chain(Then::more);
  http::Fields trailers(chain.arena);
  ASSERT_TRUE(trailers.add("x-sum", "1"));
  EXPECT_TRUE(chain.head("x", End::no));
  EXPECT_TRUE(run(chain.responder->finish(trailers, kNoDeadline)).has_value());
  EXPECT_EQ(chain.inner.calls, (Chain::Calls{"head:", "body:bax", "trailers:1$"}));
}

TEST(FilteringResponder, LeavesTheHeadUnsentWhenAFilterFailsAtItsFirstBytes) {
  Chain chain(Then::more);
  EXPECT_FALSE(chain.head("bad", End::no));
  EXPECT_FALSE(chain.responder->head_sent());
  EXPECT_EQ(chain.failures, Chain::Calls{"broken"});
}

TEST(FilteringResponder, TellsOfAFilterThatFailsOnce) {
  Chain chain(Then::more);
  EXPECT_TRUE(chain.head("x", End::no));
  EXPECT_FALSE(chain.body("bad", End::no));
  EXPECT_FALSE(chain.body("bad", End::no));
  EXPECT_EQ(chain.failures, Chain::Calls{"broken"});
  EXPECT_FALSE(chain.responder->ended());
}

TEST(FilteringResponder, DoesNotBlameAFilterForTheClient) {
  Chain chain(Then::flush);
  chain.inner.fails = true;
  EXPECT_FALSE(chain.head("x", End::no));
  EXPECT_TRUE(chain.failures.empty());
}

TEST(FilteringResponder, SendsNoFiles) {
  Chain chain(Then::more);
  EXPECT_FALSE(chain.responder->sends_files());
  EXPECT_EQ(run(chain.responder->send_file({}, kNoDeadline)).error().code, ErrorCode::internal);
}

TEST(FilteringResponder, PassesOnWhatIsNotTheBody) {
  Chain chain(Then::more);
  EXPECT_TRUE(run(chain.responder->send_interim(chain.response, kNoDeadline)).has_value());
  chain.responder->close_after();
  EXPECT_EQ(chain.inner.calls, (Chain::Calls{"interim", "close"}));
  EXPECT_EQ(chain.responder->bytes_sent(), 7U);
  EXPECT_EQ(chain.responder->head_bytes_sent(), 3U);
}

}  // namespace
}  // namespace proxy
