#include "accesslog/path_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>

namespace accesslog {
namespace {

using namespace std::chrono_literals;

class PathFilesTest : public testing::Test {
 protected:
  PathFilesTest() {
    std::string name = "/tmp/path_files_XXXXXX";
    folder = ::mkdtemp(name.data());
  }
  ~PathFilesTest() override { std::filesystem::remove_all(folder); }
  std::string path(std::string_view name) const { return folder + "/" + std::string(name); }
  /// Which file a line for `name` would go to.
  ino_t file(PathFiles& files, std::string_view name) {
    const auto opened = files.open(path(name), now);
    struct stat status{};
    if (!opened || ::fstat(opened->fd, &status) != 0) return 0;
    return status.st_ino;
  }
  void rotate(std::string_view name) const {
    // The old file stays, so that its number is not given again.
    std::filesystem::rename(path(name), path(std::string(name) + ".old"));
  }

  std::string folder;
  base::TimePoint now{};
};

TEST_F(PathFilesTest, WithoutACacheFollowTheNameAtOnce) {
  PathFiles files({});
  const ino_t first = file(files, "a");
  EXPECT_NE(first, 0U);
  rotate("a");
  EXPECT_NE(file(files, "a"), first);
  EXPECT_EQ(files.open_count(), 0U);
}

TEST_F(PathFilesTest, StayOpenUntilTheirNameIsLookedAtAgain) {
  PathFiles files({.max = 2, .inactive = 1h, .valid = 60s});
  const ino_t first = file(files, "a");
  rotate("a");
  now += 59s;
  EXPECT_EQ(file(files, "a"), first);
  now += 1s;
  const ino_t second = file(files, "a");
  EXPECT_NE(second, first);
  now += 60s;
  EXPECT_EQ(file(files, "a"), second) << "nothing was renamed";
}

TEST_F(PathFilesTest, CloseTheOneThatWasNotUsedForLongest) {
  PathFiles files({.max = 2, .inactive = 1h, .valid = 1h});
  const ino_t a = file(files, "a");
  const ino_t b = file(files, "b");
  EXPECT_EQ(file(files, "a"), a);
  static_cast<void>(file(files, "c"));  // in place of b
  EXPECT_EQ(files.open_count(), 2U);
  rotate("a");
  rotate("b");
  EXPECT_EQ(file(files, "a"), a);
  EXPECT_NE(file(files, "b"), b);
}

TEST_F(PathFilesTest, AreClosedWhenTheyAreInactive) {
  PathFiles files({.max = 8, .inactive = 10s, .valid = 1h});
  const ino_t a = file(files, "a");
  rotate("a");
  now += 9s;
  EXPECT_EQ(file(files, "a"), a);
  now += 10s;
  EXPECT_NE(file(files, "a"), a);
  now += 10s;
  static_cast<void>(file(files, "b"));
  EXPECT_EQ(files.open_count(), 1U);
}

TEST_F(PathFilesTest, StayOpenOnlyIfTheyAreUsedOftenEnough) {
  PathFiles files({.max = 8, .inactive = 10s, .min_uses = 3, .valid = 1h});
  const ino_t first = file(files, "a");
  rotate("a");
  const ino_t second = file(files, "a");
  EXPECT_NE(second, first);
  std::filesystem::rename(path("a"), path("a.older"));
  const ino_t third = file(files, "a");
  EXPECT_NE(third, second);
  std::filesystem::rename(path("a"), path("a.oldest"));
  EXPECT_EQ(file(files, "a"), third) << "from the third use on it is kept";
}

TEST_F(PathFilesTest, AreForgottenWhenLogsAreReopened) {
  PathFiles files({.max = 8, .inactive = 1h, .valid = 1h});
  const ino_t first = file(files, "a");
  rotate("a");
  files.clear();
  EXPECT_NE(file(files, "a"), first);
}

TEST_F(PathFilesTest, SayWhyAFileCannotBeOpened) {
  PathFiles files({.max = 8});
  EXPECT_EQ(files.open(path("none/a"), now).error().os_error, ENOENT);
}

}  // namespace
}  // namespace accesslog
