#include "accesslog/sink.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <unistd.h>

#include <array>

#include "config/memory_files.h"
#include "io/testing/fake_clock.h"

namespace accesslog {
namespace {

using observe::Counter;

class SinkTest : public testing::Test {
 protected:
  std::shared_ptr<const LogFile> memory_file() { return *files.open("a.log", source); }
  static std::shared_ptr<const LogFile> file_of(base::Fd fd) {
    return std::make_shared<const LogFile>(std::move(fd), "test", 0);
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

  config::MemoryFiles source;
  LogFiles files;
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  observe::CounterLayout layout;
  observe::Counters counters{layout};
};

TEST_F(SinkTest, GathersLinesForAMoment) {
  Sink sink(memory_file(), loop, counters);
  add(sink, "one\n");
  add(sink, "two\n");
  loop.run_until_idle();
  EXPECT_EQ(text(), "");
  wait(2 * Sink::kDelay);
  EXPECT_EQ(text(), "one\ntwo\n");
  add(sink, "three\n");
  wait(2 * Sink::kDelay);
  EXPECT_EQ(text(), "one\ntwo\nthree\n");
}

TEST_F(SinkTest, WritesAtOnceWhenItHoldsEnough) {
  Sink sink(memory_file(), loop, counters);
  const std::string line = std::string(Sink::kHeld / 2, 'x') + "\n";
  add(sink, line);
  EXPECT_EQ(text(), "");
  add(sink, line);
  EXPECT_EQ(text().size(), 2 * line.size());
}

TEST_F(SinkTest, FlushesWhenItDies) {
  {
    Sink sink(memory_file(), loop, counters);
    add(sink, "last\n");
  }
  EXPECT_EQ(text(), "last\n");
  wait(2 * Sink::kDelay);
}

TEST_F(SinkTest, DropsAndCountsWhenTheDiskIsFull) {
  Sink sink(file_of(base::Fd(open("/dev/full", O_WRONLY | O_CLOEXEC))), loop, counters);
  add(sink, "one\n");
  add(sink, "two\n");
  sink.flush();
  EXPECT_EQ(counters.get(Counter::log_lines_dropped), 2U);
  sink.flush();
  EXPECT_EQ(counters.get(Counter::log_lines_dropped), 2U);
}

TEST_F(SinkTest, DoesNotWaitForAFullPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const base::Fd reader(ends[0]);
  Sink sink(file_of(base::Fd(ends[1])), loop, counters);
  const std::string line = std::string(1023, 'x') + "\n";
  constexpr std::size_t kLines = 100;
  for (std::size_t i = 0; i < kLines; ++i) add(sink, line);
  sink.flush();
  std::vector<char> got(kLines * line.size());
  const ssize_t size = read(reader.get(), got.data(), got.size());
  ASSERT_GT(size, 0);
  const std::size_t arrived = static_cast<std::size_t>(size) / line.size();
  EXPECT_EQ(static_cast<std::size_t>(size) % line.size(), 0U) << "a line was torn";
  EXPECT_EQ(counters.get(Counter::log_lines_dropped), kLines - arrived);
  EXPECT_GT(counters.get(Counter::log_lines_dropped), 0U);
}

TEST_F(SinkTest, BeginsAnewBehindATornLine) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK), 0);
  const base::Fd reader(ends[0]);
  ASSERT_GT(fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
  Sink sink(file_of(base::Fd(ends[1])), loop, counters);
  add(sink, std::string(3 * PIPE_BUF, 'x') + "\n");  // more than a pipe takes whole
  sink.flush();
  EXPECT_EQ(counters.get(Counter::log_lines_dropped), 1U);
  std::vector<char> got(4 * PIPE_BUF);
  ASSERT_EQ(read(reader.get(), got.data(), got.size()), 4096);
  add(sink, "next\n");
  sink.flush();
  const ssize_t size = read(reader.get(), got.data(), got.size());
  EXPECT_EQ(std::string(got.data(), static_cast<std::size_t>(size)), "\nnext\n");
}

TEST_F(SinkTest, SharesAFileThatSeveralLevelsName) {
  const auto first = memory_file();
  const auto other = *files.open("b.log", source);
  EXPECT_EQ(*files.open("/prefix/a.log", source), first);
  EXPECT_EQ(first->index, 0U);
  EXPECT_EQ(other->index, 1U);
}

}  // namespace
}  // namespace accesslog
