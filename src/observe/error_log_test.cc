#include "observe/error_log.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <ctime>

#include "observe/time_text.h"

namespace observe {
namespace {

using namespace std::chrono_literals;

constexpr base::WallTime kTime{std::chrono::seconds(1795426468)};  // 2026-11-23T09:34:28Z

class Utc : public testing::Environment {
 public:
  void SetUp() override {
    setenv("TZ", "UTC", 1);
    tzset();
  }
};
const auto* const kUtc = testing::AddGlobalTestEnvironment(new Utc);

std::string line(std::string_view message, const LogContext& context = {},
                 LogFormat format = LogFormat::text, Level level = Level::error) {
  return format_line(format, level, kTime, 12, 34, message, context);
}

class FixedClock final : public base::Clock {
 public:
  base::TimePoint now() const noexcept override { return {}; }
  base::WallTime wall() const noexcept override { return kTime; }
};

TEST(TimeTexts, AreThoseOfNginx) {
  const TimeTexts texts = local_time_texts(kTime);
  EXPECT_EQ(texts.error_log, "2026/11/23 09:34:28");
  EXPECT_EQ(texts.common, "23/Nov/2026:09:34:28 +0000");
  EXPECT_EQ(texts.iso8601, "2026-11-23T09:34:28+00:00");
  EXPECT_EQ(local_time_texts(kTime + 999ms).error_log, "2026/11/23 09:34:28");
  EXPECT_EQ(local_time_texts(kTime + 1s).error_log, "2026/11/23 09:34:29");
  EXPECT_EQ(local_time_texts(base::WallTime(-1ms)).iso8601, "1969-12-31T23:59:59+00:00");
}

TEST(ErrorLog, WritesNginxsTextFormat) {
  EXPECT_EQ(line("worker started"), "2026/11/23 09:34:28 [error] 12#34: worker started\n");
  EXPECT_EQ(
      line("connect() failed (111: Connection refused) while connecting to upstream",
           {.connection = 7,
            .client = "192.0.2.1",
            .server = "a.test",
            .request = "GET / HTTP/1.1",
            .upstream = "http://10.0.0.1:80/",
            .host = "a.test",
            .referrer = "http://b.test/"}),
      "2026/11/23 09:34:28 [error] 12#34: *7 connect() failed (111: Connection refused) while "
      "connecting to upstream, client: 192.0.2.1, server: a.test, request: \"GET / HTTP/1.1\", "
      "upstream: \"http://10.0.0.1:80/\", host: \"a.test\", referrer: \"http://b.test/\"\n");
}

TEST(ErrorLog, NamesAServerWithoutANameAsNginxDoes) {
  EXPECT_EQ(
      line("x", {.client = "192.0.2.1", .server = "", .host = "a.test"}),
      "2026/11/23 09:34:28 [error] 12#34: x, client: 192.0.2.1, server: , host: \"a.test\"\n");
  const std::string json = line("x", {.server = ""}, LogFormat::json);
  EXPECT_TRUE(json.ends_with(R"("message":"x","server":""})"
                             "\n"))
      << json;
  EXPECT_EQ(line("x", {.client = "192.0.2.1"}),
            "2026/11/23 09:34:28 [error] 12#34: x, client: 192.0.2.1\n");
}

TEST(ErrorLog, WritesOneJsonObjectALine) {
  EXPECT_EQ(
      line("said \"no\"\n", {.connection = 7, .client = "192.0.2.1", .host = "a\xff\xc3\xa9\\"},
           LogFormat::json, Level::warn),
      R"({"time":"2026-11-23T09:34:28+00:00","level":"warn","pid":12,"tid":34,"connection":7,)"
      R"("message":"said \"no\"\u000a","client":"192.0.2.1","host":"a\ufffd)"
      "\xc3\xa9"
      R"(\\"})"
      "\n");
}

TEST(ErrorLog, EscapesWhatCouldForgeALine) {
  EXPECT_EQ(line("a\nb\x1b[31m\x7f", {.request = "GET /\" host: \"x\\"}),
            "2026/11/23 09:34:28 [error] 12#34: a\\x0Ab\\x1B[31m\\x7F, request: "
            "\"GET /\\x22 host: \\x22x\\x5C\"\n");
}

TEST(ErrorLog, BoundsItsLines) {
  const std::string huge(100'000, '\x01');
  for (const LogFormat format : {LogFormat::text, LogFormat::json}) {
    const std::string text = line(huge, {.request = huge, .host = huge}, format);
    EXPECT_LE(text.size(), ErrorLog::kMaxLine);
    EXPECT_GT(text.size(), ErrorLog::kMaxLine - 20);
    EXPECT_EQ(text.back(), '\n');
  }
  const std::string json = line(huge, {}, LogFormat::json);
  EXPECT_TRUE(json.ends_with("\\u0001\"}\n")) << json.substr(json.size() - 20);
}

TEST(ErrorLog, TakesCredentialsOutOfMessages) {
  EXPECT_EQ(line("sent \"GET / HTTP/1.1\r\nCookie: s3cret; t0ken\r\nX: 1\""),
            "2026/11/23 09:34:28 [error] 12#34: sent \"GET / HTTP/1.1\\x0D\\x0ACookie: [redacted]"
            "\\x0D\\x0AX: 1\"\n");
}

TEST(ErrorLog, WritesOnlyWhatItsLevelEnables) {
  base::Fd file(memfd_create("log", MFD_CLOEXEC));
  const int fd = file.get();
  FixedClock clock;
  const ErrorLog log(std::move(file), Level::warn, LogFormat::text, &clock);
  EXPECT_TRUE(log.enabled(Level::emerg));
  EXPECT_TRUE(log.enabled(Level::warn));
  EXPECT_FALSE(log.enabled(Level::notice));
  log.write(Level::notice, "quiet");
  log.write(Level::warn, "loud");
  std::array<char, 200> text{};
  const auto size = pread(fd, text.data(), text.size(), 0);
  ASSERT_GT(size, 0);
  const std::string_view written(text.data(), static_cast<std::size_t>(size));
  EXPECT_TRUE(written.starts_with("2026/11/23 09:34:28 [warn] ")) << written;
  EXPECT_TRUE(written.ends_with(": loud\n")) << written;
  EXPECT_EQ(log.dropped(), 0U);
}

TEST(ErrorLog, DropsAndCountsWhenTheDiskIsFull) {
  base::Fd full(open("/dev/full", O_WRONLY | O_CLOEXEC));
  ASSERT_TRUE(full);
  const ErrorLog log(std::move(full), Level::warn);
  log.write(Level::error, "lost");
  EXPECT_EQ(log.dropped(), 1U);
}

TEST(ErrorLog, DoesNotWaitForAFullPipe) {
  std::array<int, 2> ends{};
  ASSERT_EQ(pipe2(ends.data(), O_CLOEXEC), 0);
  const base::Fd reader(ends[0]);
  const ErrorLog log(base::Fd(ends[1]), Level::warn);
  const std::string message(4000, 'x');
  for (int i = 0; i < 30; ++i) log.write(Level::error, message);
  EXPECT_GT(log.dropped(), 0U);
  EXPECT_LT(log.dropped(), 30U);
}

/// What memfds, made by make(), were given.
struct MemoryLog {
  static MemoryLog make() {
    base::Fd fd(memfd_create("log", MFD_CLOEXEC));
    MemoryLog log{.fd = fd.duplicate(), .file = nullptr};
    log.file = std::make_shared<const LogFile>(std::move(fd), "memory");
    return log;
  }
  std::string text() const {
    std::array<char, 4096> read{};
    const auto size = pread(fd.get(), read.data(), read.size(), 0);
    return {read.data(), static_cast<std::size_t>(std::max<ssize_t>(size, 0))};
  }
  base::Fd fd;
  std::shared_ptr<const LogFile> file;
};

TEST(ErrorLog, WritesToEachOutputWhatItsLevelEnables) {
  const MemoryLog loud = MemoryLog::make();
  const MemoryLog quiet = MemoryLog::make();
  const ErrorLog log({{.level = Level::crit, .file = quiet.file},
                      {.level = Level::info, .format = LogFormat::json, .file = loud.file}});
  EXPECT_EQ(log.level(), Level::info);
  EXPECT_EQ(log.descriptor(), quiet.file->descriptor());
  log.write(Level::info, "one");
  log.write(Level::crit, "two");
  log.write(Level::debug, "three");
  EXPECT_EQ(quiet.text().find("one"), std::string::npos);
  EXPECT_NE(quiet.text().find("[crit]"), std::string::npos);
  EXPECT_NE(loud.text().find("\"message\":\"one\""), std::string::npos);
  EXPECT_NE(loud.text().find("\"message\":\"two\""), std::string::npos);
  EXPECT_EQ(loud.text().find("three"), std::string::npos);
}

class SettableClock final : public base::Clock {
 public:
  base::TimePoint now() const noexcept override { return time; }
  base::WallTime wall() const noexcept override { return kTime; }
  base::TimePoint time{};
};

TEST(ErrorLog, TellsItsOtherOutputsOfAnEpisodeOfLosses) {
  SettableClock clock;
  const MemoryLog other = MemoryLog::make();
  const auto failing = std::make_shared<const LogFile>(
      base::Fd(open("/dev/full", O_WRONLY | O_CLOEXEC)), "full.log");
  const ErrorLog log({{.level = Level::warn, .file = failing},
                      {.level = Level::emerg, .file = other.file},
                      {.level = Level::alert, .file = other.file}},
                     &clock);
  log.write(Level::warn, "lost");
  log.write(Level::warn, "lost");
  const std::string begun = other.text();
  EXPECT_NE(begun.find("write() to error log \"full.log\" failed (28: No space left on device), "
                       "lines are dropped"),
            std::string::npos)
      << begun;
  EXPECT_EQ(std::ranges::count(begun, '\n'), 1);
  const MemoryLog room = MemoryLog::make();
  ASSERT_TRUE(failing->replace(room.fd));
  clock.time += 2 * Losses::kSteady;
  log.write(Level::warn, "kept");
  EXPECT_NE(room.text().find("kept"), std::string::npos);
  EXPECT_NE(room.text().find("\"full.log\" is written again, 2 lines were lost"),
            std::string::npos);
  EXPECT_NE(other.text().find("2 lines were lost"), std::string::npos);
  EXPECT_EQ(log.dropped(), 2U);
}

TEST(LogFile, WritesToWhatReplacedIt) {
  const MemoryLog old_one = MemoryLog::make();
  const MemoryLog new_one = MemoryLog::make();
  const ErrorLog log({{.file = old_one.file}});
  const int descriptor = log.descriptor();
  log.write(Level::error, "before");
  ASSERT_TRUE(old_one.file->replace(new_one.fd));
  log.write(Level::error, "after");
  EXPECT_EQ(log.descriptor(), descriptor);
  EXPECT_TRUE(old_one.text().ends_with("before\n"));
  EXPECT_EQ(std::ranges::count(old_one.text(), '\n'), 1);
  EXPECT_TRUE(new_one.text().ends_with("after\n"));
  EXPECT_FALSE(old_one.file->replace(base::Fd()));
}

TEST(ErrorLog, KnowsItsLevelsByName) {
  EXPECT_EQ(parse_level("emerg"), Level::emerg);
  EXPECT_EQ(parse_level("debug"), Level::debug);
  EXPECT_EQ(parse_level("verbose"), std::nullopt);
  EXPECT_EQ(name_of(Level::crit), "crit");
}

}  // namespace
}  // namespace observe
