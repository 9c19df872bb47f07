#include "accesslog/batch_writer.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <filesystem>
#include <vector>

#include "base/gzip.h"
#include "io/testing/fake_clock.h"

namespace accesslog {
namespace {

using namespace std::chrono_literals;
using observe::Counter;
using testing::HasSubstr;

std::string text_of(int fd) {
  std::string text(1 << 20, '\0');
  const ssize_t size = ::pread(fd, text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

class BatchWriterTest : public testing::Test {
 protected:
  BatchWriterTest() {
    base::Fd fd(::memfd_create("errors", MFD_CLOEXEC));
    errors = fd.get();
    writer.report_to(std::make_shared<observe::ErrorLog>(std::move(fd), observe::Level::error,
                                                         observe::LogFormat::text, &clock));
  }
  static std::shared_ptr<Target> target_of(base::Fd fd) {
    return std::make_shared<Target>(
        0U, "test.log", std::make_shared<const observe::LogFile>(std::move(fd), "test.log"));
  }
  void write(const std::shared_ptr<Target>& target, std::string text) {
    writer.write({.target = target, .text = std::move(text)});
  }
  std::uint64_t dropped() const { return counters.get(Counter::log_lines_dropped); }

  io::testing::FakeClock clock;
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  BatchWriter writer{clock, counters};
  int errors = -1;
};

struct Pipe {
  Pipe() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) std::abort();
    reader = base::Fd(ends[0]);
    writer = base::Fd(ends[1]);
  }
  std::string read() const {
    std::string text(1 << 20, '\0');
    const ssize_t size = ::read(reader.get(), text.data(), text.size());
    text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
    return text;
  }
  base::Fd reader;
  base::Fd writer;
};

TEST_F(BatchWriterTest, TellsOfAFullDiskOnceAndWhenItIsOver) {
  const auto target = target_of(base::Fd(::open("/dev/full", O_WRONLY | O_CLOEXEC)));
  write(target, "one\ntwo\n");
  write(target, "three\n");
  EXPECT_EQ(dropped(), 3U);
  EXPECT_THAT(text_of(errors), HasSubstr("[alert]"));
  EXPECT_THAT(text_of(errors), HasSubstr("write() to access log \"test.log\" failed (28: No space "
                                         "left on device), lines are dropped\n"));
  EXPECT_EQ(std::ranges::count(text_of(errors), '\n'), 1);
  const base::Fd room(::memfd_create("room", MFD_CLOEXEC));
  ASSERT_TRUE(target->file->replace(room));
  clock.advance(observe::Losses::kSteady);
  write(target, "four\n");
  EXPECT_EQ(text_of(room.get()), "four\n");
  EXPECT_THAT(text_of(errors),
              HasSubstr("access log \"test.log\" is written again, 3 lines were lost\n"));
}

TEST_F(BatchWriterTest, DropsWhatAPipeThatWasWaitedForDoesNotTake) {
  Pipe pipe;
  const auto target = target_of(std::move(pipe.writer));
  target->losses().lose(0, clock.now());  // so it is not waited for again
  const std::string line = std::string(1023, 'x') + "\n";
  constexpr std::size_t kLines = 100;
  std::string lines;
  for (std::size_t i = 0; i < kLines; ++i) lines += line;
  write(target, lines);
  const std::string got = pipe.read();
  EXPECT_EQ(got.size() % line.size(), 0U) << "a line was torn";
  EXPECT_EQ(dropped(), kLines - got.size() / line.size());
  EXPECT_GT(dropped(), 0U);
}

TEST_F(BatchWriterTest, BeginsAnewBehindATornLine) {
  Pipe pipe;
  ASSERT_GT(::fcntl(pipe.writer.get(), F_SETPIPE_SZ, 4096), 0);
  const auto target = target_of(std::move(pipe.writer));
  target->losses().lose(0, clock.now());
  write(target, std::string(3 * PIPE_BUF, 'x') + "\n");  // more than the pipe holds
  EXPECT_EQ(dropped(), 1U);
  EXPECT_EQ(pipe.read().size(), 4096U);
  write(target, "next\n");
  EXPECT_EQ(pipe.read(), "\nnext\n");
}

TEST_F(BatchWriterTest, MakesAGzipMemberOfEachBatch) {
  base::Fd fd(::memfd_create("packed", MFD_CLOEXEC));
  const int packed = fd.get();
  const auto target = target_of(std::move(fd));
  target->gathering.gzip_level = 6;
  write(target, "one\n");
  EXPECT_EQ(text_of(packed), base::gzip("one\n", 6));
  write(target, "two\n");
  EXPECT_EQ(text_of(packed), base::gzip("one\n", 6) + base::gzip("two\n", 6));
}

TEST_F(BatchWriterTest, WritesEachRunToItsFile) {
  std::string folder = "/tmp/batch_writer_XXXXXX";
  ASSERT_NE(::mkdtemp(folder.data()), nullptr);
  const auto paths = std::make_shared<PathFiles>(PathFiles::Options{});
  const auto target = std::make_shared<Target>(0U, "$x.log", nullptr, nullptr, paths);
  writer.write({.target = target,
                .text = "a\nb\nc\nlost\n",
                .runs = {{.path = folder + "/1", .size = 4},
                         {.path = folder + "/2", .size = 2},
                         {.path = folder + "/none/3", .size = 5}}});
  const base::Fd first(::open((folder + "/1").c_str(), O_RDONLY | O_CLOEXEC));
  const base::Fd second(::open((folder + "/2").c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(text_of(first.get()), "a\nb\n");
  EXPECT_EQ(text_of(second.get()), "c\n");
  EXPECT_EQ(dropped(), 1U);
  EXPECT_THAT(text_of(errors), HasSubstr("/none/3\" failed (2: No such file or directory)"));
  std::filesystem::remove_all(folder);
}

TEST_F(BatchWriterTest, TellsWhatWasLostBeforeItCameThere) {
  const auto target = target_of(base::Fd(::memfd_create("log", MFD_CLOEXEC)));
  writer.write({.target = target, .text = "kept\n", .crowded_out = 7});
  EXPECT_EQ(dropped(), 0U) << "the worker has counted them";
  EXPECT_THAT(text_of(errors), HasSubstr("lines of access log \"test.log\" are dropped: too many "
                                         "lines are waiting\n"));
  clock.advance(2s);
  write(target, "kept\n");
  EXPECT_THAT(text_of(errors), HasSubstr("7 lines were lost"));
}

}  // namespace
}  // namespace accesslog
