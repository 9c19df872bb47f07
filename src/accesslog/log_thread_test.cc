#include "accesslog/log_thread.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cstdlib>
#include <future>
#include <optional>
#include <string>

namespace accesslog {
namespace {

using observe::ErrorLog;
using observe::Level;
using testing::EndsWith;
using testing::HasSubstr;

std::string text_of(const base::Fd& fd) {
  std::string text(static_cast<std::size_t>(::lseek(fd.get(), 0, SEEK_END)), '\0');
  const ssize_t size = ::pread(fd.get(), text.data(), text.size(), 0);
  text.resize(static_cast<std::size_t>(std::max<ssize_t>(size, 0)));
  return text;
}

std::vector<std::string> lines_of(const base::Fd& fd) {
  std::vector<std::string> lines;
  const std::string text = text_of(fd);
  std::size_t begin = 0;
  for (std::size_t end = 0; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
    lines.push_back(text.substr(begin, end - begin));
  }
  return lines;
}

class ErrorLinesTest : public testing::Test {
 protected:
  ErrorLinesTest() : file(::memfd_create("errors", MFD_CLOEXEC)) {
    log_file = std::make_shared<const observe::LogFile>(file.duplicate(), "errors.log");
    log = std::make_unique<ErrorLog>(
        std::vector{ErrorLog::Output{.level = Level::info, .file = log_file}});
    thread.emplace(clock, layout, LogThread::Mode::thread, kRoom);
    thread->carry_errors();
  }
  /// The thread is stuck, as in a write to a disk that hangs, until release().
  void hang() {
    log->write(Level::info, "first");  // starts the thread
    std::promise<void> stuck;
    auto is_stuck = stuck.get_future();
    thread->post([stuck = std::move(stuck), until = released.get_future()]() mutable {
      stuck.set_value();
      until.wait();
    });
    is_stuck.wait();
  }
  void release() { released.set_value(); }

  static constexpr std::size_t kRoom = std::size_t{256} << 10;
  base::SystemClock clock;
  observe::CounterLayout layout;
  base::Fd file;
  std::shared_ptr<const observe::LogFile> log_file;
  std::unique_ptr<ErrorLog> log;
  std::promise<void> released;
  std::optional<LogThread> thread;
};

TEST_F(ErrorLinesTest, AreWrittenInTheirOrderBeforeTheThreadEnds) {
  for (int i = 0; i < 100; ++i) log->write(Level::info, fmt::format("line {}", i));
  thread.reset();
  const auto lines = lines_of(file);
  ASSERT_EQ(lines.size(), 100U);
  for (std::size_t i = 0; i < lines.size(); ++i) {
    EXPECT_THAT(lines[i], EndsWith(fmt::format(": line {}", i)));
  }
  log->write(Level::info, "in place");
  EXPECT_THAT(text_of(file), EndsWith(": in place\n"));
}

TEST_F(ErrorLinesTest, WaitForNothingAndAreDroppedCountedAndToldWhereTheDiskHangs) {
  hang();
  constexpr std::size_t kLines = 2500;
  for (std::size_t i = 0; i < kLines; ++i) log->write(Level::info, fmt::format("line {}", i));
  EXPECT_TRUE(ErrorLog::is_behind());
  const std::uint64_t dropped = log->dropped();
  EXPECT_GT(dropped, kLines / 10);
  EXPECT_LT(dropped, kLines);
  release();
  thread.reset();
  EXPECT_FALSE(ErrorLog::is_behind());
  const auto lines = lines_of(file);
  ASSERT_EQ(lines.size(), 1 + kLines - dropped + 1);
  for (std::size_t i = 0; i < kLines - dropped; ++i) {
    ASSERT_THAT(lines[i + 1], EndsWith(fmt::format(": line {}", i)));
  }
  EXPECT_THAT(lines.back(), HasSubstr(fmt::format("[alert] {}#", ::getpid())));
  EXPECT_THAT(lines.back(),
              HasSubstr(fmt::format("{} lines of error log \"errors.log\" were dropped", dropped)));
}

TEST_F(ErrorLinesTest, GoToTheOldFileIfTheyCameBeforeItsReopening) {
  hang();
  const base::Fd fresh(::memfd_create("fresh", MFD_CLOEXEC));
  log->write(Level::info, "old");
  thread->post([this, &fresh] { ASSERT_TRUE(log_file->replace(fresh)); });
  log->write(Level::info, "new");
  release();
  thread.reset();
  EXPECT_THAT(text_of(file), EndsWith(": old\n"));
  const auto lines = lines_of(fresh);
  ASSERT_EQ(lines.size(), 1U);
  EXPECT_THAT(lines.front(), EndsWith(": new"));
}

TEST_F(ErrorLinesTest, OfAFullPipeAreDroppedWithoutTearingOne) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);  // blocking, as standard error is
  base::Fd reader(ends[0]);
  ErrorLog piped(base::Fd(ends[1]), Level::info);
  const std::string message(4000, 'x');
  for (int i = 0; i < 40; ++i) piped.write(Level::info, message);
  thread.reset();
  EXPECT_GT(piped.dropped(), 0U);
  EXPECT_LT(piped.dropped(), 40U);
  std::string text(std::size_t{1} << 20, '\0');
  const ssize_t size = ::read(reader.get(), text.data(), text.size());
  ASSERT_GT(size, 0);
  text.resize(static_cast<std::size_t>(size));
  EXPECT_EQ(static_cast<std::size_t>(std::ranges::count(text, '\n')), 40 - piped.dropped());
  EXPECT_THAT(text, EndsWith("x\n"));
}

}  // namespace
}  // namespace accesslog
