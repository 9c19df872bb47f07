#include "server/pid_file.h"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

namespace server {
namespace {

class PidFile : public testing::Test {
 protected:
  PidFile() {
    std::string name = testing::TempDir() + "pid-file-XXXXXX";
    directory_ = ::mkdtemp(name.data());
    path_ = directory_ + "/x.pid";
  }
  ~PidFile() override { std::filesystem::remove_all(directory_); }
  void put(const std::string& text) const { std::ofstream(path_) << text; }

  std::string directory_;
  std::string path_;
};

TEST_F(PidFile, IsReadAsItWasWritten) {
  ASSERT_TRUE(write_pid_file(path_, 4711));
  EXPECT_EQ(read_pid_file(path_), 4711);
  ASSERT_TRUE(write_pid_file(path_, 4712));
  EXPECT_EQ(read_pid_file(path_), 4712);
}

TEST_F(PidFile, LeavesNothingElseBehind) {
  ASSERT_TRUE(write_pid_file(path_, 1));
  remove_pid_file(path_, 1);
  EXPECT_TRUE(std::filesystem::is_empty(directory_));
}

TEST_F(PidFile, OfAnotherInstanceStays) {
  ASSERT_TRUE(write_pid_file(path_, 2));
  remove_pid_file(path_, 1);
  EXPECT_EQ(read_pid_file(path_), 2);
}

TEST_F(PidFile, SaysWhatIsWrongInNginxsWords) {
  EXPECT_EQ(read_pid_file(path_).error(),
            "open() \"" + path_ + "\" failed (2: No such file or directory)");
  for (const std::string text : {"", "0", "-5", "12x", "99999999999"}) {
    put(text + "\n");
    EXPECT_EQ(read_pid_file(path_).error(),
              "invalid PID number \"" + text + "\" in \"" + path_ + "\"");
  }
}

TEST_F(PidFile, CannotBeWrittenWhereNoDirectoryIs) {
  EXPECT_FALSE(write_pid_file(directory_ + "/no/x.pid", 1));
}

}  // namespace
}  // namespace server
