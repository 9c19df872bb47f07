#include "config/file_source.h"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "config/disk_files.h"
#include "config/memory_files.h"
#include "config/recorded_files.h"

namespace config {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::SizeIs;

/// A directory with "conf/" in it, removed at the end.
class Directory {
 public:
  Directory() {
    std::string name = std::filesystem::temp_directory_path() / "config_test.XXXXXX";
    path_ = ::mkdtemp(name.data());
    std::filesystem::create_directory(path_ + "/conf");
  }
  ~Directory() { std::filesystem::remove_all(path_); }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;

  void write(const std::string& name, std::string_view text, mode_t mode = 0600) const {
    std::ofstream(path_ + "/" + name) << text;
    EXPECT_EQ(::chmod((path_ + "/" + name).c_str(), mode), 0);
  }
  [[nodiscard]] std::string operator/(std::string_view name) const {
    return path_ + "/" + std::string(name);
  }
  [[nodiscard]] Prefixes prefixes() const { return {path_, path_ + "/conf"}; }

 private:
  std::string path_;
};

TEST(DiskFiles, ResolvesLogsFromThePrefixAndOthersFromTheConfiguration) {
  const DiskFiles files({"/p", "/c/"});
  EXPECT_EQ(files.full_name("logs/a.log", Purpose::log_append), "/p/logs/a.log");
  EXPECT_EQ(files.full_name("html", Purpose::place), "/p/html");
  EXPECT_EQ(files.full_name("a.pem", Purpose::certificate), "/c/a.pem");
  EXPECT_EQ(files.full_name("/x", Purpose::key), "/x");
}

TEST(DiskFiles, ReadsAndGlobs) {
  const Directory directory;
  directory.write("conf/b.conf", "b");
  directory.write("conf/a.conf", "a");
  DiskFiles files(directory.prefixes());
  EXPECT_EQ(files.read_text("a.conf", Purpose::config).value(), "a");
  EXPECT_THAT(files.glob("*.conf").value(),
              ElementsAre(directory / "conf/a.conf", directory / "conf/b.conf"));
  EXPECT_THAT(files.glob("none/*").value(), IsEmpty());
}

TEST(DiskFiles, RefusesWhatIsNotARegularFile) {
  const Directory directory;
  ASSERT_EQ(::mkfifo((directory / "conf/fifo").c_str(), 0600), 0);
  DiskFiles files(directory.prefixes());
  EXPECT_EQ(files.open("missing", Purpose::list).error().os_error, ENOENT);
  EXPECT_EQ(files.open(".", Purpose::list).error().os_error, EISDIR);
  EXPECT_EQ(files.open("fifo", Purpose::certificate).error().context, kNotRegular);
  EXPECT_EQ(files.open(std::string_view("a\0b", 3), Purpose::list).error().os_error, EINVAL);
}

TEST(DiskFiles, RefusesKeysThatOthersCanRead) {
  const Directory directory;
  directory.write("conf/good.key", "k", 0600);
  directory.write("conf/world.key", "k", 0604);
  DiskFiles files(directory.prefixes());
  EXPECT_TRUE(files.open("good.key", Purpose::key));
  EXPECT_TRUE(files.open("world.key", Purpose::certificate));
  const auto refused = files.open("world.key", Purpose::key);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().context, kOpenToEveryone);
  EXPECT_EQ(describe_failure("/k", refused.error()), "\"/k\" can be read or written by everyone");
  EXPECT_EQ(advice_for("/k", refused.error()), "chmod 600 /k");
}

TEST(DiskFiles, AcceptsKeysThatTheNamedGroupCanRead) {
  const Directory directory;
  directory.write("conf/group.key", "k", 0640);
  struct stat status{};
  ASSERT_EQ(::stat((directory / "conf/group.key").c_str(), &status), 0);
  if (status.st_gid == 0) {  // root's group needs no name: give the file to another
    ASSERT_EQ(::chown((directory / "conf/group.key").c_str(), static_cast<uid_t>(-1), 4711), 0);
    status.st_gid = 4711;
  }
  DiskFiles files(directory.prefixes());
  EXPECT_EQ(files.open("group.key", Purpose::key).error().context, kOpenToGroup);
  files.set_key_policy({.group = status.st_gid});
  EXPECT_TRUE(files.open("group.key", Purpose::key));
}

TEST(DiskFiles, WarnsOfExposedKeysWhereNginxWouldTakeThem) {
  const Directory directory;
  directory.write("conf/world.key", "k", 0644);
  DiskFiles files(directory.prefixes());
  files.set_key_policy({.if_exposed = KeyPolicy::IfExposed::warn});
  EXPECT_TRUE(files.open("world.key", Purpose::key));
  EXPECT_THAT(files.take_warnings(), ElementsAre(HasSubstr("can be read or written by everyone")));
  EXPECT_THAT(files.take_warnings(), IsEmpty());
}

TEST(DiskFiles, OpensLogsForAppending) {
  const Directory directory;
  directory.write("old.log", "before\n");
  DiskFiles files(directory.prefixes());
  const auto fd = files.open("old.log", Purpose::log_append);
  ASSERT_TRUE(fd);
  EXPECT_EQ(::write(fd->get(), "after\n", 6), 6);
  EXPECT_NE(::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC, 0);
  std::ifstream read(directory / "old.log");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(read), {}), "before\nafter\n");

  ASSERT_TRUE(files.open("new.log", Purpose::log_append));
  struct stat status{};
  ASSERT_EQ(::stat((directory / "new.log").c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0007U, 0U);
}

TEST(ReadAll, BoundsTheSize) {
  MemoryFiles files;
  files.add("a", "12345");
  const auto fd = files.open("a", Purpose::list);
  ASSERT_TRUE(fd);
  EXPECT_EQ(read_all(*fd, 5).value(), "12345");
  EXPECT_EQ(read_all(*fd, 5).value(), "12345");  // again, from the beginning
  EXPECT_EQ(read_all(*fd, 4).error().code, base::ErrorCode::too_large);
}

TEST(MemoryFiles, KeepsWhatIsWrittenToLogs) {
  MemoryFiles files;
  for (int i = 0; i < 2; ++i) {
    const auto fd = files.open("logs/a.log", Purpose::log_append);
    ASSERT_TRUE(fd);
    EXPECT_EQ(::write(fd->get(), "x\n", 2), 2);
  }
  EXPECT_EQ(files.text_of("/prefix/logs/a.log"), "x\nx\n");
}

TEST(RecordedFiles, AnswerFromTheRecordAlone) {
  MemoryFiles memory;
  memory.add("a.conf", "a");
  memory.add("site/1", "1");
  memory.add("cert.pem", "C");
  RecordingFiles recording(memory);
  EXPECT_EQ(recording.read_text("a.conf", Purpose::config).value(), "a");
  EXPECT_THAT(recording.glob("site/*").value(), SizeIs(1));
  EXPECT_TRUE(recording.open("cert.pem", Purpose::certificate));
  EXPECT_FALSE(recording.open("gone.pem", Purpose::certificate));
  memory.add("a.conf", "changed");
  memory.add("site/2", "2");
  EXPECT_EQ(recording.read_text("a.conf", Purpose::config).value(), "a");

  ReceivedFiles received({"/prefix/", "/etc/"}, recording.take());
  EXPECT_EQ(received.read_text("a.conf", Purpose::config).value(), "a");
  EXPECT_THAT(received.glob("site/*").value(), ElementsAre("/etc/site/1"));
  const auto fd = received.open("cert.pem", Purpose::certificate);
  ASSERT_TRUE(fd);
  EXPECT_EQ(read_all(*fd, 10).value(), "C");
  EXPECT_EQ(received.open("gone.pem", Purpose::certificate).error().os_error, ENOENT);
  EXPECT_EQ(received.open("never.pem", Purpose::certificate).error().context, kWithheld);
}

TEST(RecordedFiles, KeepWhatNamesWereResolvedTo) {
  MemoryFiles memory;
  memory.add_host("log.test", {"192.0.2.1", "2001:db8::1"});
  RecordingFiles recording(memory);
  EXPECT_THAT(recording.resolve("log.test").value(), ElementsAre("192.0.2.1", "2001:db8::1"));
  EXPECT_FALSE(recording.resolve("gone.test"));
  memory.add_host("log.test", {"192.0.2.9"});
  EXPECT_THAT(recording.resolve("log.test").value(), ElementsAre("192.0.2.1", "2001:db8::1"));
  ReceivedFiles received({"/prefix/", "/etc/"}, recording.take());
  EXPECT_THAT(received.resolve("log.test").value(), ElementsAre("192.0.2.1", "2001:db8::1"));
  EXPECT_TRUE(received.resolve("gone.test").error().is(base::ErrorCode::not_found));
  EXPECT_EQ(received.resolve("never.test").error().context, kWithheld);
}

TEST(RecordedFiles, OpenAFileOnce) {
  MemoryFiles memory;
  memory.add("cert.pem", "C");
  RecordingFiles recording(memory);
  const auto first = recording.open("cert.pem", Purpose::certificate);
  const auto second = recording.open("/etc/cert.pem", Purpose::certificate);
  ASSERT_TRUE(first && second);
  EXPECT_NE(first->get(), second->get());
  EXPECT_THAT(recording.take(), SizeIs(1));
}

TEST(RecordedFiles, NeverHoldKeysAsText) {
  MemoryFiles memory;
  memory.add("a.key", "SECRET");
  RecordingFiles recording(memory);
  EXPECT_EQ(recording.read_text("a.key", Purpose::key).value(), "SECRET");
  std::vector<FileRecord> records = recording.take();
  ASSERT_THAT(records, SizeIs(1));
  EXPECT_THAT(records[0].text, IsEmpty());

  const auto keys = withhold_keys(records);
  ASSERT_THAT(keys, SizeIs(1));
  EXPECT_EQ(keys[0].first, "/etc/a.key");
  EXPECT_EQ(read_all(keys[0].second, 10).value(), "SECRET");
  ReceivedFiles received({"/prefix/", "/etc/"}, std::move(records));
  EXPECT_EQ(received.open("a.key", Purpose::key).error().context, kWithheld);
}

}  // namespace
}  // namespace config
