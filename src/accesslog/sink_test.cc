#include "accesslog/sink.h"

#include <gtest/gtest.h>

#include "accesslog/destinations.h"
#include "config/memory_files.h"
#include "io/testing/fake_clock.h"

namespace accesslog {
namespace {

using namespace std::chrono_literals;
using observe::Counter;

class SinkTest : public testing::Test {
 protected:
  std::shared_ptr<Target> memory_target() {
    return destinations.target(*destinations.open("a.log", source));
  }
  std::string text() const { return source.text_of("/prefix/a.log"); }
  static void add(Sink& sink, std::string_view line) {
    sink.lines() += line;
    sink.added();
  }
  void wait(base::Duration duration) {
    clock.advance(duration);
    loop.run_until_idle();
  }

  static constexpr std::chrono::milliseconds kDelay = Gathering{}.delay.value();
  config::MemoryFiles source;
  Destinations destinations;
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  LogThread thread{clock, layout, LogThread::Mode::at_once};
};

TEST_F(SinkTest, GathersLinesForAMoment) {
  Sink sink(memory_target(), thread, loop, counters);
  add(sink, "one\n");
  add(sink, "two\n");
  loop.run_until_idle();
  EXPECT_EQ(text(), "");
  wait(2 * kDelay);
  EXPECT_EQ(text(), "one\ntwo\n");
  add(sink, "three\n");
  wait(2 * kDelay);
  EXPECT_EQ(text(), "one\ntwo\nthree\n");
}

TEST_F(SinkTest, WritesAtOnceWhenItHoldsEnough) {
  Sink sink(memory_target(), thread, loop, counters);
  const std::string line = std::string(Gathering{}.size / 2, 'x') + "\n";
  add(sink, line);
  EXPECT_EQ(text(), "");
  add(sink, line);
  EXPECT_EQ(text().size(), 2 * line.size());
}

TEST_F(SinkTest, HoldsLinesBackUntilTheBufferIsFull) {
  const auto target = memory_target();
  target->gathering = {.size = 10, .delay = std::nullopt};
  Sink sink(target, thread, loop, counters);
  add(sink, "four\n");
  wait(1h);
  EXPECT_EQ(text(), "");
  add(sink, "five\n");
  EXPECT_EQ(text(), "four\nfive\n");
}

TEST_F(SinkTest, HoldsLinesBackNoLongerThanFlushSays) {
  const auto target = memory_target();
  target->gathering = {.size = 1000, .delay = 5s};
  Sink sink(target, thread, loop, counters);
  add(sink, "one\n");
  wait(4s);
  add(sink, "two\n");
  EXPECT_EQ(text(), "");
  wait(2s);
  EXPECT_EQ(text(), "one\ntwo\n");
}

TEST_F(SinkTest, HoldsNothingBackOnceItIsRetired) {
  const auto target = memory_target();
  target->gathering = {.size = 1000, .delay = std::nullopt};
  Sink sink(target, thread, loop, counters);
  add(sink, "one\n");
  sink.retire();
  EXPECT_EQ(text(), "one\n");
  add(sink, "two\n");
  wait(2 * kDelay);
  EXPECT_EQ(text(), "one\ntwo\n");
}

TEST_F(SinkTest, FlushesWhenItDies) {
  {
    Sink sink(memory_target(), thread, loop, counters);
    add(sink, "last\n");
  }
  EXPECT_EQ(text(), "last\n");
  wait(2 * kDelay);
}

TEST_F(SinkTest, DropsAndCountsWhenTooMuchIsWaiting) {
  const auto target = memory_target();
  Sink sink(target, thread, loop, counters);
  target->waiting = LogThread::kMaxWaiting;  // as behind a disk that hangs
  add(sink, "one\n");
  add(sink, "two\n");
  sink.flush();
  EXPECT_EQ(counters.get(Counter::log_lines_dropped), 2U);
  target->waiting = 0;
  add(sink, "three\n");
  sink.flush();
  EXPECT_EQ(text(), "three\n");
  EXPECT_EQ(counters.get(Counter::log_lines_dropped), 2U);
  EXPECT_EQ(target->waiting, 0U);
}

TEST_F(SinkTest, SharesAFileThatSeveralLevelsName) {
  const auto first = memory_target();
  const auto other = destinations.target(*destinations.open("b.log", source));
  EXPECT_EQ(*destinations.open("/prefix/a.log", source), first->file);
  EXPECT_EQ(destinations.target(first->file), first);
  EXPECT_EQ(first->index, 0U);
  EXPECT_EQ(other->index, 1U);
}

TEST_F(SinkTest, WritesWhatItsThreadIsGivenBeforeThatEnds) {
  const auto target = memory_target();
  {
    LogThread real(clock, layout, LogThread::Mode::thread);
    Sink sink(target, real, loop, counters);
    for (int i = 0; i < 1000; ++i) {
      add(sink, std::to_string(i) + "\n");
      if (i % 7 == 0) sink.flush();
    }
  }
  std::string expected;
  for (int i = 0; i < 1000; ++i) expected += std::to_string(i) + "\n";
  EXPECT_EQ(text(), expected);
}

}  // namespace
}  // namespace accesslog
