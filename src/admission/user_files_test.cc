#include "admission/user_files.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <string>

namespace admission {
namespace {

TEST(UserFile, FindsTheFirstLineOfAUser) {
  const UserFile file("# users\na:one\nb:two:a comment\na:three\r\n\nbroken\n:empty\nc:\nd:four");
  EXPECT_EQ(file.find("a"), "one");
  EXPECT_EQ(file.find("b"), "two");
  EXPECT_EQ(file.find("c"), "");
  EXPECT_EQ(file.find("d"), "four");
  for (const std::string_view nobody : {"", "# users", "broken", "A", "a ", "b:two"}) {
    EXPECT_FALSE(file.find(nobody)) << nobody;
  }
  EXPECT_EQ(file.example(), "one");
}

TEST(UserFile, EndsAPasswordAtACarriageReturn) {
  EXPECT_EQ(UserFile("a:one\r\nb:two\r\n").find("a"), "one");
}

class Files : public ::testing::Test {
 protected:
  Files() {
    std::string pattern = std::filesystem::temp_directory_path() / "user-files-XXXXXX";
    folder_ = ::mkdtemp(pattern.data());
    name_ = folder_ / "users";
  }
  ~Files() override { std::filesystem::remove_all(folder_); }
  void write(const std::string& text) { std::ofstream(name_) << text; }
  std::string password_of(std::string_view user, const base::Fd* held = nullptr) {
    const auto file = files_.get({.name = name_.native(), .held = held});
    if (!file) return "error " + std::to_string(file.error().os_error);
    return std::string((*file)->find(user).value_or("nobody"));
  }

  std::filesystem::path folder_;
  std::filesystem::path name_;
  UserFiles files_;
};

TEST_F(Files, SeesAChangeInPlace) {
  // Of the same size, and often within one tick of the file system's clock.
  for (int i = 0; i < 100; ++i) {
    const std::string password = i % 2 == 0 ? "one" : "two";
    write("a:" + password + "\n");
    ASSERT_EQ(password_of("a"), password) << i;
  }
}

TEST_F(Files, SeesAFileThatTookItsPlace) {
  write("a:one\n");
  const base::Fd held(::open(name_.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(password_of("a", &held), "one");
  std::ofstream(folder_ / "new") << "a:two\n";
  std::filesystem::rename(folder_ / "new", name_);
  EXPECT_EQ(password_of("a", &held), "two");
}

TEST_F(Files, LetsNobodyInByAFileThatIsGone) {
  write("a:one\n");
  const base::Fd held(::open(name_.c_str(), O_RDONLY | O_CLOEXEC));
  EXPECT_EQ(password_of("a", &held), "one");
  std::filesystem::remove(name_);
  EXPECT_EQ(password_of("a", &held), "error " + std::to_string(ENOENT));
}

TEST_F(Files, OpensNoPipeAndNoNameThatLeadsElsewhere) {
  ASSERT_EQ(::mkfifo(name_.c_str(), 0600), 0);
  EXPECT_EQ(password_of("a"), "error 0");
  for (const std::string& name : {std::string("/tmp/../etc/passwd"), std::string("/tmp/a\nb"),
                                  "/" + std::string(2000, 'x')}) {
    const auto file = files_.get({.name = name});
    ASSERT_FALSE(file) << name;
    EXPECT_TRUE(file.error().is(base::ErrorCode::invalid)) << name;
  }
}

}  // namespace
}  // namespace admission
