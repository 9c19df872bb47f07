// The io floor, over the pipe and with a clock of the test's own.
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <string>

#include "io/buffer.h"
#include "io/socket.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"

namespace io::testing {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;

struct World {
  FakeClock clock;
  EventLoop loop{clock};
  async::Scope scope;
  ~World() {
    scope.request_stop();
    loop.run_until_idle();
  }
};

async::Task<void> read_once(Stream& stream, base::Deadline deadline, std::string* got,
                            ErrorCode* error) {
  std::array<char, 64> into{};
  const auto count = co_await read(stream, into, deadline);
  if (count) {
    *got = std::string(into.data(), *count);
  } else {
    *error = count.error().code;
  }
}

async::Task<void> write_text(Stream& stream, std::string text, base::Result<void>* result) {
  iovec piece = piece_of(text);
  *result = co_await write_all(stream, {&piece, 1}, base::kNoDeadline);
}

TEST(Read, TimesOutAtItsDeadlineAndNotBefore) {
  World world;
  auto [a, b] = make_pipe(world.loop);
  std::string got;
  ErrorCode error{};
  world.scope.spawn(read_once(*a, world.loop.now() + 1s, &got, &error));
  world.clock.advance(999ms);
  world.loop.run_until_idle();
  EXPECT_EQ(world.scope.running(), 1U);
  world.clock.advance(10ms);
  world.loop.run_until_idle();
  EXPECT_EQ(world.scope.running(), 0U);
  EXPECT_EQ(error, ErrorCode::timed_out);
}

TEST(Read, IsCancelledByItsScope) {
  World world;
  auto [a, b] = make_pipe(world.loop);
  std::string got;
  ErrorCode error{};
  world.scope.spawn(read_once(*a, base::kNoDeadline, &got, &error));
  world.scope.request_stop();
  world.loop.run_until_idle();
  EXPECT_EQ(error, ErrorCode::cancelled);
}

async::Task<void> send_bytes(Stream& stream, FileBytes bytes, Patience patience,
                             base::Result<void>* result) {
  *result = co_await send_file(stream, bytes, patience);
}

/// A file with these bytes in it, open and nameless.
base::Fd file_of(std::string_view text) {
  base::Fd file(::memfd_create("file", MFD_CLOEXEC));
  EXPECT_EQ(::write(file.get(), text.data(), text.size()), std::ssize(text));
  return file;
}

TEST(SendFile, SendsWhatWasAskedForAsThePeerTakesIt) {
  World world;
  auto [a, b] = make_pipe(world.loop, {.capacity = 3, .sends_files = true});
  const base::Fd file = file_of("0123456789");
  base::Result<void> sent = base::fail(ErrorCode::internal);
  world.scope.spawn(send_bytes(*a, {file.get(), 2, 7}, base::kNoDeadline, &sent));
  std::string got;
  std::array<char, 64> into{};
  while (true) {
    world.loop.run_until_idle();
    const auto count = b->try_read(into);
    if (!count) break;
    got.append(into.data(), *count);
  }
  EXPECT_TRUE(sent);
  EXPECT_EQ(got, "2345678");
}

TEST(SendFile, AFileThatHasBecomeShorterIsAnError) {
  World world;
  auto [a, b] = make_pipe(world.loop, {.sends_files = true});
  const base::Fd file = file_of("01234");
  base::Result<void> sent;
  world.scope.spawn(send_bytes(*a, {file.get(), 0, 6}, base::kNoDeadline, &sent));
  world.loop.run_until_idle();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::end_of_stream);
}

TEST(SendFile, APeerThatTakesNothingTimesOut) {
  World world;
  auto [a, b] = make_pipe(world.loop, {.capacity = 2, .sends_files = true});
  const base::Fd file = file_of("01234");
  base::Result<void> sent;
  world.scope.spawn(send_bytes(*a, {file.get(), 0, 5}, {base::kNoDeadline, 2s}, &sent));
  world.loop.run_until_idle();
  world.clock.advance(2010ms);
  world.loop.run_until_idle();
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, ErrorCode::timed_out);
}

async::Task<void> write_patiently(Stream& stream, std::string text, Patience patience,
                                  base::Result<void>* result) {
  iovec piece = piece_of(text);
  *result = co_await write_all(stream, {&piece, 1}, patience);
}

TEST(WriteAll, APauseIsCountedFromTheLastByteThatWasTaken) {
  World world;
  auto [a, b] = make_pipe(world.loop, {.capacity = 10});
  base::Result<void> written = base::fail(ErrorCode::internal);
  const std::string text(100, 'x');
  world.scope.spawn(write_patiently(*a, text, {base::kNoDeadline, 2s}, &written));
  std::array<char, 10> into{};
  for (int i = 0; i < 5; ++i) {
    world.clock.advance(1900ms);
    world.loop.run_until_idle();
    ASSERT_EQ(world.scope.running(), 1U) << i;
    ASSERT_TRUE(b->try_read(into));
    world.loop.run_until_idle();
  }
  world.clock.advance(2100ms);
  world.loop.run_until_idle();
  ASSERT_EQ(world.scope.running(), 0U);
  EXPECT_EQ(written.error().code, ErrorCode::timed_out);
}

TEST(WriteAll, TheWholeIsBoundedHoweverShortThePauses) {
  World world;
  auto [a, b] = make_pipe(world.loop, {.capacity = 10});
  base::Result<void> written = base::fail(ErrorCode::internal);
  const std::string text(1000, 'x');
  world.scope.spawn(write_patiently(*a, text, {world.loop.now() + 5s, 2s}, &written));
  std::array<char, 10> into{};
  int seconds = 0;
  for (; world.scope.running() == 1 && seconds < 60; ++seconds) {
    world.clock.advance(1s);
    world.loop.run_until_idle();
    static_cast<void>(b->try_read(into));
    world.loop.run_until_idle();
  }
  EXPECT_EQ(seconds, 5);
  EXPECT_EQ(written.error().code, ErrorCode::timed_out);
}

TEST(WriteAll, WaitsForRoomAndDeliversEverythingInOrder) {
  World world;
  auto [a, b] = make_pipe(world.loop, {.capacity = 10, .slice = 3});
  base::Result<void> written = base::fail(ErrorCode::internal);
  const std::string text(100, 'x');
  world.scope.spawn(write_text(*a, text, &written));
  world.loop.run_until_idle();
  EXPECT_FALSE(written);
  std::string all;
  while (all.size() < text.size()) {
    std::string got;
    ErrorCode error{};
    world.scope.spawn(read_once(*b, base::kNoDeadline, &got, &error));
    world.loop.run_until_idle();
    ASSERT_FALSE(got.empty());
    all += got;
  }
  EXPECT_TRUE(written);
  EXPECT_EQ(all, text);
}

class CountingTimer final : public Timer {
 public:
  void on_timer() noexcept override { ++fired; }
  int fired = 0;
};

TEST(TimerWheel, FiresNeverEarlyAndAtMostATickLateAtEveryDistance) {
  const base::TimePoint start{};
  for (const auto distance : {1ms, 5ms, 1000ms, 1024ms, 1025ms, 65'000ms, 262'144ms, 300'000ms,
                              3'600'000ms, 100'000'000ms}) {
    TimerWheel wheel(start);
    CountingTimer timer;
    wheel.set(timer, start + distance);
    wheel.advance(start + distance - 1ms);
    EXPECT_EQ(timer.fired, 0) << distance.count();
    wheel.advance(start + distance + TimerWheel::kTick);
    EXPECT_EQ(timer.fired, 1) << distance.count();
  }
}

TEST(TimerWheel, NextIsNeverLaterThanTheFirstTimer) {
  const base::TimePoint start{};
  TimerWheel wheel(start);
  EXPECT_FALSE(wheel.next());
  CountingTimer near;
  CountingTimer far;
  wheel.set(far, start + 10min);
  base::TimePoint now = start;
  int steps = 0;
  while (far.fired == 0) {
    const auto next = wheel.next();
    ASSERT_TRUE(next);
    ASSERT_LE(*next, start + 10min + TimerWheel::kTick);
    now = *next;
    wheel.advance(now);
    ASSERT_LT(++steps, 2000);
  }
  wheel.set(near, now + 20ms);
  EXPECT_LE(*wheel.next(), now + 20ms + TimerWheel::kTick);
}

class StallClock final : public base::Clock {
 public:
  base::TimePoint now() const noexcept override { return now_; }
  base::WallTime wall() const noexcept override { return {}; }
  mutable base::TimePoint now_{};
};

TEST(EventLoop, CountsATurnThatStallsFor20Milliseconds) {
  StallClock clock;
  EventLoop loop(clock);
  loop.post([&] { clock.now_ += 5ms; });
  loop.run_until_idle();
  EXPECT_EQ(loop.stalled_turns(), 0U);
  loop.post([&] { clock.now_ += 20ms; });
  loop.run_until_idle();
  EXPECT_EQ(loop.stalled_turns(), 1U);
}

TEST(Buffer, KeepsWhatIsReadableWhenItGrowsAndCompacts) {
  Buffer buffer(4096);
  buffer.append("hello world");
  buffer.consume(6);
  buffer.grow(16 * 1024);
  EXPECT_EQ(buffer.readable(), "world");
  buffer.append("!");
  buffer.consume(1);
  buffer.compact();
  EXPECT_EQ(buffer.readable(), "orld!");
  buffer.consume(5);
  EXPECT_TRUE(buffer.empty());
}

}  // namespace
}  // namespace io::testing
