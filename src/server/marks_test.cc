#include "server/marks.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "server/pid_file.h"

namespace server {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::UnorderedElementsAre;

class MarksTest : public testing::Test {
 protected:
  MarksTest() {
    std::string name = testing::TempDir() + "marksXXXXXX";
    folder_ = ::mkdtemp(name.data());
    paths_.admin_socket = path("admin");
    paths_.control_socket = path("control");
    for (const char* socket : {"admin", "control"}) std::ofstream(path(socket)) << "";
  }
  ~MarksTest() override { std::filesystem::remove_all(folder_); }

  [[nodiscard]] std::string path(std::string_view name) const { return (folder_ / name).string(); }
  [[nodiscard]] std::vector<std::string> files() const {
    std::vector<std::string> names;
    for (const auto& each : std::filesystem::directory_iterator(folder_)) {
      names.push_back(each.path().filename().string());
    }
    return names;
  }

  std::filesystem::path folder_;
  Paths paths_;
};

TEST_F(MarksTest, MovesThePidFile) {
  Marks marks(paths_);
  ASSERT_TRUE(marks.write_pid_file(path("a.pid")).has_value());
  EXPECT_EQ(read_pid_file(path("a.pid")), ::getpid());
  ASSERT_TRUE(marks.write_pid_file(path("b.pid")).has_value());
  EXPECT_THAT(files(), UnorderedElementsAre("admin", "control", "b.pid"));
  EXPECT_FALSE(marks.write_pid_file(path("absent/c.pid")).has_value());
  EXPECT_THAT(files(), UnorderedElementsAre("admin", "control", "b.pid"));
}

TEST_F(MarksTest, MakesRoomForANewBinaryAndComesBack) {
  Marks marks(paths_);
  ASSERT_TRUE(marks.write_pid_file(path("a.pid")).has_value());
  EXPECT_THAT(marks.rename(path("a.pid"), "", Marks::kOldBinary), IsEmpty());
  EXPECT_THAT(files(), UnorderedElementsAre("admin.oldbin", "control.oldbin", "a.pid.oldbin"));
  EXPECT_THAT(marks.rename(path("a.pid"), Marks::kOldBinary, ""), IsEmpty());
  EXPECT_THAT(files(), UnorderedElementsAre("admin", "control", "a.pid"));
}

TEST_F(MarksTest, RemovesThoseThatAreItsOwn) {
  Marks marks(paths_);
  ASSERT_TRUE(marks.write_pid_file(path("a.pid")).has_value());
  ASSERT_THAT(marks.rename(path("a.pid"), "", Marks::kOldBinary), IsEmpty());
  std::ofstream(path("admin")) << "the new one's";
  ASSERT_TRUE(write_pid_file(path("a.pid"), 1).has_value());
  marks.remove_pid_file();
  marks.remove_sockets();
  EXPECT_THAT(files(), UnorderedElementsAre("admin", "a.pid"));
}

TEST_F(MarksTest, LeavesThePidFileOfAnotherProcess) {
  Marks marks(paths_);
  ASSERT_TRUE(marks.write_pid_file(path("a.pid")).has_value());
  ASSERT_TRUE(write_pid_file(path("a.pid"), 1).has_value());
  marks.remove_pid_file();
  EXPECT_THAT(files(), UnorderedElementsAre("admin", "control", "a.pid"));
}

TEST_F(MarksTest, TellsWhatItCannotRenameAndRenamesTheRest) {
  Marks marks(paths_);
  EXPECT_THAT(marks.rename(path("a.pid"), "", Marks::kOldBinary),
              ElementsAre(HasSubstr("a.pid.oldbin\" failed (2: No such file or directory)")));
  EXPECT_THAT(files(), UnorderedElementsAre("admin.oldbin", "control.oldbin"));
}

}  // namespace
}  // namespace server
