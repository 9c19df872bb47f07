// The client's body: bounded, timed, asked for, held.
#include "proxy/request_body.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <deque>

#include "async/scope.h"
#include "io/testing/fake_clock.h"
#include "proxy/held_body.h"

namespace proxy {
namespace {

using base::ErrorCode;
using base::kNoDeadline;

/// Gives the pieces one by one; an empty text stands for "nothing yet".
class ScriptedBody final : public http::Body {
 public:
  explicit ScriptedBody(base::Arena& arena) : trailers_(arena) {}
  std::deque<std::string> pieces;
  std::optional<std::uint64_t> known;
  std::optional<ErrorCode> failure;  // instead of the end
  base::Deadline asked_until{};

  async::Task<base::Result<std::string_view>> read(base::Deadline deadline) override {
    asked_until = deadline;
    while (!pieces.empty() && pieces.front().empty()) pieces.pop_front();
    co_return next();
  }
  std::optional<base::Result<std::string_view>> try_read() override {
    if (!pieces.empty() && pieces.front().empty()) return std::nullopt;
    return next();
  }
  bool ended() const noexcept override { return ended_; }
  std::optional<std::uint64_t> length() const noexcept override { return known; }
  const http::Fields& trailers() const noexcept override { return trailers_; }

 private:
  base::Result<std::string_view> next() {
    if (pieces.empty()) {
      if (failure) return base::fail(*failure);
      ended_ = true;
      return std::string_view{};
    }
    current_ = std::move(pieces.front());
    pieces.pop_front();
    return std::string_view(current_);
  }
  http::Fields trailers_;
  std::string current_;
  bool ended_ = false;
};

class RecordingResponder final : public http::Responder {
 public:
  std::vector<unsigned> interim;
  async::Task<base::Result<void>> send_interim(const http::ResponseHead& head,
                                               io::Patience /*patience*/) override {
    interim.push_back(head.status);
    co_return base::Result<void>{};
  }
  async::Task<base::Result<void>> send_head(const http::ResponseHead& /*head*/,
                                            std::string_view /*first*/, http::End /*end*/,
                                            io::Patience /*patience*/) override {
    co_return base::Result<void>{};
  }
  async::Task<base::Result<void>> send_body(std::string_view /*piece*/, http::End /*end*/,
                                            io::Patience /*patience*/) override {
    co_return base::Result<void>{};
  }
  bool sends_files() const noexcept override { return false; }
  async::Task<base::Result<void>> send_file(io::FileBytes /*bytes*/,
                                            io::Patience /*patience*/) override {
    co_return base::Result<void>{};
  }
  async::Task<base::Result<void>> finish(const http::Fields& /*trailers*/,
                                         io::Patience /*patience*/) override {
    co_return base::Result<void>{};
  }
  void close_after() noexcept override {}
  void forbid_chunks() noexcept override {}
  bool head_sent() const noexcept override { return false; }
  bool ended() const noexcept override { return false; }
  std::uint64_t bytes_sent() const noexcept override { return 0; }
  std::uint64_t head_bytes_sent() const noexcept override { return 0; }
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

struct BodyWorld {
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  base::Arena arena;
  ScriptedBody source{arena};
  RecordingResponder responder;
  RequestBody body;
  explicit BodyWorld(bool expects_continue = false)
      : body(source, responder, loop, expects_continue) {
    body.set_limits(10, {.pause = std::chrono::seconds(5), .min_rate = 100});
  }
};

TEST(RequestBody, GivesUpToItsLimitAndNotAByteMore) {
  BodyWorld world;
  world.source.pieces = {"12345", "67890"};
  EXPECT_EQ(run(world.body.read()).value(), "12345");
  EXPECT_EQ(run(world.body.read()).value(), "67890");
  EXPECT_EQ(run(world.body.read()).value(), "");
  EXPECT_TRUE(world.body.ended());
  EXPECT_FALSE(world.body.failed());

  BodyWorld more;
  more.source.pieces = {"1234567890", "1"};
  EXPECT_TRUE(run(more.body.read()));
  const auto beyond = run(more.body.read());
  ASSERT_FALSE(beyond);
  EXPECT_EQ(beyond.error().code, ErrorCode::too_large);
  EXPECT_EQ(beyond.error().source, base::ErrorSource::downstream);
  EXPECT_TRUE(more.body.failed());
}

TEST(RequestBody, KnowsFromTheLengthThatItIsTooLarge) {
  BodyWorld world;
  world.source.known = 11;
  EXPECT_TRUE(world.body.is_too_large(10));
  EXPECT_FALSE(world.body.is_too_large(11));
  world.source.known = ~std::uint64_t{0};
  EXPECT_FALSE(world.body.is_too_large(0));  // no limit
}

TEST(RequestBody, BoundsWhileItReadsOnlyWhatHasNoLength) {
  BodyWorld world;
  world.source.known = 11;
  world.body.set_limits(10, {.pause = std::chrono::seconds(5)});
  world.source.pieces = {"1234567890", "1"};
  EXPECT_TRUE(run(world.body.read()));
  EXPECT_TRUE(run(world.body.read()));
}

TEST(RequestBody, AsksAWaitingClientOnceAndOnlyWhenItMustWait) {
  BodyWorld eager(true);
  eager.source.pieces = {"here"};
  EXPECT_TRUE(run(eager.body.read()));
  EXPECT_TRUE(eager.responder.interim.empty());

  BodyWorld waiting(true);
  waiting.source.pieces = {"", "one", "", "two"};
  EXPECT_EQ(run(waiting.body.read()).value(), "one");
  EXPECT_EQ(run(waiting.body.read()).value(), "two");
  EXPECT_EQ(waiting.responder.interim, std::vector<unsigned>{100});
  EXPECT_EQ(waiting.source.asked_until, waiting.loop.now() + std::chrono::seconds(5));
}

TEST(RequestBody, MarksTheClientsFailuresAsSuch) {
  BodyWorld world;
  world.source.failure = ErrorCode::end_of_stream;
  const auto failed = run(world.body.read());
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().source, base::ErrorSource::downstream);
  EXPECT_TRUE(world.body.failed());
  EXPECT_TRUE(world.body.touched());
}

constexpr std::size_t kInMemory = 16 * 1024;

std::string replay(const HeldBody& held) {
  io::Buffer buffer;
  std::string all;
  while (true) {
    const std::string_view piece = held.piece_at(all.size(), buffer).value();
    if (piece.empty()) return all;
    all += piece;
  }
}

TEST(HeldBody, StaysInMemoryUpTo16KilobytesAndGoesToAFileBeyond) {
  for (const std::size_t size : {0U, 1U, 4096U, 4097U, 16384U, 16385U, 200000U}) {
    BodyWorld world;
    world.body.set_limits(0, {.pause = std::chrono::seconds(5)});
    std::string whole;
    for (int i = 0; whole.size() < size; ++i) whole += std::to_string(i);
    whole.resize(size);
    for (std::size_t at = 0; at < size; at += 3000) {
      world.source.pieces.push_back(whole.substr(at, 3000));
    }
    const std::string directory = "/tmp";
    HeldBody held({.directory = directory, .in_memory = kInMemory});
    ASSERT_TRUE(run(held.hold(world.body))) << size;
    EXPECT_EQ(held.size(), size);
    EXPECT_EQ(held.in_memory(), size <= kInMemory) << size;
    if (held.in_memory()) EXPECT_EQ(held.text(), whole);
    EXPECT_EQ(replay(held), whole) << size;
    EXPECT_EQ(replay(held), whole) << "a second attempt, " << size;
  }
}

TEST(HeldBody, HoldsAsMuchInMemoryAsItIsTold) {
  for (const std::size_t limit : {0U, 1U, 5000U, 300'000U}) {
    for (const std::size_t size : {limit, limit + 1}) {
      BodyWorld world;
      world.body.set_limits(0, {.pause = std::chrono::seconds(5)});
      const std::string whole(size, 'x');
      for (std::size_t at = 0; at < size; at += 60'000) {
        world.source.pieces.push_back(whole.substr(at, 60'000));
      }
      const std::string directory = "/tmp";
      HeldBody held({.directory = directory, .in_memory = limit});
      ASSERT_TRUE(run(held.hold(world.body)));
      EXPECT_EQ(held.in_memory(), size <= limit) << limit << " " << size;
      EXPECT_EQ(replay(held), whole);
    }
  }
}

TEST(HeldBody, SaysThatThereIsNoPlaceForItsFile) {
  BodyWorld world;
  world.body.set_limits(0, {.pause = std::chrono::seconds(5)});
  world.source.pieces.push_back(std::string(kInMemory + 1, 'x'));
  const std::string directory = "/nonexistent";
  HeldBody held({.directory = directory, .in_memory = kInMemory});
  const auto result = run(held.hold(world.body));
  ASSERT_FALSE(result);
  EXPECT_EQ(result.error().source, base::ErrorSource::internal);
  EXPECT_FALSE(world.body.failed());
}

}  // namespace
}  // namespace proxy
