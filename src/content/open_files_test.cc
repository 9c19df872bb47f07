#include "content/open_files.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <cerrno>
#include <filesystem>
#include <fstream>

#include "io/testing/fake_clock.h"

namespace content {
namespace {

using namespace std::chrono_literals;
namespace fs = std::filesystem;
using observe::Counter;

class OpenFilesOnDisk : public ::testing::Test {
 protected:
  OpenFilesOnDisk() {
    std::string name = "/tmp/sallyport-open-files-XXXXXX";
    www = ::mkdtemp(name.data());
    for (const std::string_view file : {"a", "b", "c"}) write(file, "first");
  }
  ~OpenFilesOnDisk() override { fs::remove_all(www); }

  void write(std::string_view name, std::string_view text) const {
    const std::string path = www + "/" + std::string(name);
    std::ofstream(path + ".new") << text;
    fs::rename(path + ".new", path);
  }
  FilePath path(std::string_view below) const {
    return {.directory = www, .below = below, .shown = below};
  }
  base::Result<File> open(std::string_view below, LinkRule links = {}) {
    return files.open(roots, path(below), links, options);
  }
  /// 0 for none.
  int error_of(std::string_view below) {
    const auto file = open(below);
    return file ? 0 : file.error().os_error;
  }
  std::uint64_t count(Counter counter) const { return counters.get(counter); }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.run_until_idle();
  }

  std::string www;
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  Roots roots{loop};
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  OpenFileCache cache{.max = 2, .inactive = 20s};
  OpenFileOptions options;
  OpenFiles files{loop, cache, counters};
};

TEST_F(OpenFilesOnDisk, AreServedAsTheyWereUntilTheyAreLookedAtAgain) {
  options.valid = 10s;
  EXPECT_EQ(open("a")->size, 5U);
  write("a", "another");
  EXPECT_EQ(open("a")->size, 5U);
  EXPECT_EQ(count(Counter::open_file_hits), 1U);
  pass(9s);
  EXPECT_EQ(open("a")->size, 5U);
  pass(1s);
  EXPECT_EQ(open("a")->size, 7U);
  EXPECT_EQ(count(Counter::open_file_misses), 2U);
}

TEST_F(OpenFilesOnDisk, GiveWayByAge) {
  for (const std::string_view name : {"a", "b", "a", "c"}) EXPECT_TRUE(open(name));
  EXPECT_EQ(files.size(), 2U);
  EXPECT_EQ(count(Counter::limit_open_file_cache), 1U);
  write("a", "another");
  write("b", "another");
  EXPECT_EQ(open("a")->size, 5U) << "used later than b";
  EXPECT_EQ(open("b")->size, 7U);
}

TEST_F(OpenFilesOnDisk, AreClosedWhenNobodyAsksForThem) {
  const auto held = open("a");
  pass(10s);
  EXPECT_TRUE(open("b"));
  pass(11s);
  EXPECT_EQ(files.size(), 1U);
  pass(20s);
  EXPECT_EQ(files.size(), 0U);
  EXPECT_EQ(held->kept.use_count(), 1) << "whoever sends it has it still";
  EXPECT_GE(held->descriptor(), 0);
}

TEST_F(OpenFilesOnDisk, KeepErrorsWhereThatIsWanted) {
  EXPECT_EQ(error_of("new"), ENOENT);
  write("new", "new");
  EXPECT_EQ(error_of("new"), 0);
  options.errors = true;
  EXPECT_EQ(error_of("newer"), ENOENT);
  write("newer", "new");
  EXPECT_EQ(error_of("newer"), ENOENT);
  EXPECT_EQ(error_of("a/b"), ENOTDIR);
}

TEST_F(OpenFilesOnDisk, ForgetWhatIsGone) {
  options.valid = 1s;
  EXPECT_TRUE(open("a"));
  fs::remove(www + "/a");
  pass(1s);
  EXPECT_EQ(error_of("a"), ENOENT);
  EXPECT_EQ(files.size(), 0U);
}

TEST_F(OpenFilesOnDisk, KeepDescriptorsFromTheSoManythUseOn) {
  options.min_uses = 3;
  EXPECT_EQ(open("a")->kept, nullptr);
  EXPECT_EQ(open("a")->kept, nullptr);
  EXPECT_NE(open("a")->kept, nullptr);
  EXPECT_EQ(count(Counter::open_file_hits), 0U);
  EXPECT_NE(open("a")->kept, nullptr);
  EXPECT_EQ(count(Counter::open_file_hits), 1U);
}

TEST_F(OpenFilesOnDisk, LookWithoutOpening) {
  EXPECT_EQ(files.look(roots, path("a"), {}, options)->size, 5U);
  EXPECT_EQ(files.look(roots, path("."), {}, options)->kind, FileStatus::Kind::directory);
  EXPECT_EQ(open(".")->kind, FileStatus::Kind::directory);
  EXPECT_EQ(count(Counter::open_file_hits), 1U);
  EXPECT_GE(open("a")->descriptor(), 0);
}

TEST_F(OpenFilesOnDisk, CanBeClosedAllAtOnce) {
  EXPECT_TRUE(open("a"));
  EXPECT_TRUE(open("b"));
  EXPECT_EQ(files.clear(), 2U);
  EXPECT_EQ(files.clear(), 0U);
  pass(21s);
  EXPECT_TRUE(open("a"));
}

TEST_F(OpenFilesOnDisk, AreOthersUnderAnotherRuleOfLinks) {
  fs::create_symlink("a", www + "/link");
  EXPECT_TRUE(open("link"));
  EXPECT_TRUE(open("link", {.follow = FollowSymlinks::anywhere}));
  EXPECT_EQ(count(Counter::open_file_hits), 0U);
  EXPECT_FALSE(open("link", {.disable = DisableSymlinks::on}));
}

}  // namespace
}  // namespace content
