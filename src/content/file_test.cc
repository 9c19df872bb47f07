#include "content/file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>

#include "io/testing/fake_clock.h"

namespace content {
namespace {

using namespace std::chrono_literals;
using enum FollowSymlinks;
namespace fs = std::filesystem;

class RootsOnDisk : public ::testing::Test {
 protected:
  RootsOnDisk() {
    std::string name = "/tmp/sallyport-roots-XXXXXX";
    base = ::mkdtemp(name.data());
    www = base + "/www";
    fs::create_directories(www + "/dir");
    write(www + "/a.txt", "hello");
    write(base + "/secret", "secret");
  }
  ~RootsOnDisk() override { fs::remove_all(base); }

  static void write(const std::string& path, std::string_view text) { std::ofstream(path) << text; }
  base::Result<File> open(std::string_view below, FollowSymlinks follow = inside) {
    return roots.open({.directory = www, .below = below, .shown = below}, {.follow = follow});
  }
  int error_of(std::string_view below, FollowSymlinks follow = inside) {
    const auto file = open(below, follow);
    return file ? 0 : file.error().os_error;
  }

  std::string base;
  std::string www;
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  Roots roots{loop};
};

TEST_F(RootsOnDisk, TellWhatTheyOpen) {
  const auto file = open("a.txt");
  ASSERT_TRUE(file);
  EXPECT_EQ(file->kind, File::Kind::regular);
  EXPECT_EQ(file->size, 5U);
  std::array<char, 16> into{};
  EXPECT_EQ(*read_at(file->fd.get(), 1, into), 4U);
  EXPECT_EQ(std::string_view(into.data(), 4), "ello");
  EXPECT_EQ(*read_at(file->fd.get(), 5, into), 0U);
  EXPECT_EQ(open("dir")->kind, File::Kind::directory);
  EXPECT_EQ(open(".")->kind, File::Kind::directory);
  EXPECT_EQ(error_of("b.txt"), ENOENT);
  EXPECT_EQ(error_of("a.txt/b"), ENOTDIR);
  EXPECT_EQ(error_of(std::string(300, 'x')), ENAMETOOLONG);
}

TEST_F(RootsOnDisk, LinksInsideAreFollowed) {
  fs::create_symlink("../a.txt", www + "/dir/link");
  EXPECT_EQ(open("dir/link")->size, 5U);
}

TEST_F(RootsOnDisk, LinksThatLeadOutAreNot) {
  fs::create_symlink("../secret", www + "/out");
  fs::create_symlink(base + "/secret", www + "/absolute");
  fs::create_symlink(www + "/a.txt", www + "/absolute_inside");
  fs::create_symlink("..", www + "/up");
  for (const std::string_view name :
       {"out", "absolute", "absolute_inside", "up/secret", "../secret", "dir/../../secret"}) {
    EXPECT_EQ(error_of(name), EXDEV) << name;
  }
  for (const std::string_view name : {"out", "absolute", "absolute_inside", "up/secret"}) {
    EXPECT_EQ(error_of(name, anywhere), 0) << name;
  }
}

// disable_symlinks looks at whole paths, the root's included.
class CheckedPaths : public RootsOnDisk {
 protected:
  CheckedPaths() {
    fs::create_symlink("a.txt", www + "/link");
    fs::create_symlink("dir", www + "/dirlink");
    fs::create_directory_symlink(www, base + "/current");
    write(www + "/dir/b", "b");
  }
  int error_of(DisableSymlinks disable, const std::string& shown, std::size_t unchecked = 0) {
    const auto file =
        roots.open({.directory = www, .below = "", .shown = shown, .unchecked = unchecked},
                   {.disable = disable});
    return file ? 0 : file.error().os_error;
  }
};

TEST_F(CheckedPaths, HaveNoLinks) {
  constexpr auto kOn = DisableSymlinks::on;
  EXPECT_EQ(error_of(kOn, www + "/a.txt"), 0);
  EXPECT_EQ(error_of(kOn, www + "//dir///b"), 0);
  EXPECT_EQ(error_of(kOn, www + "/dir/"), 0);
  for (const std::string_view name : {"/link", "/dirlink/b", "/dirlink"}) {
    EXPECT_EQ(error_of(kOn, www + std::string(name)), ELOOP) << name;
  }
  EXPECT_EQ(error_of(kOn, base + "/current/a.txt"), ELOOP);
  EXPECT_EQ(error_of(kOn, base + "/current/a.txt", base.size() + 8), 0);
  EXPECT_EQ(error_of(kOn, base + "/current/a.txt", base.size() + 9), 0) << "with its slash";
  EXPECT_EQ(error_of(kOn, base + "/current/link", base.size() + 8), ELOOP);
  EXPECT_EQ(error_of(kOn, base + "/current", base.size() + 8), 0) << "nothing is left to check";
  EXPECT_EQ(error_of(kOn, www + "/none"), ENOENT);
}

TEST_F(CheckedPaths, HaveLinksOfTheSameOwner) {
  constexpr auto kOwner = DisableSymlinks::if_not_owner;
  for (const std::string_view name : {"/a.txt", "/link", "/dirlink/b", "/dirlink", "/dir//b"}) {
    EXPECT_EQ(error_of(kOwner, www + std::string(name)), 0) << name;
  }
  EXPECT_EQ(error_of(kOwner, base + "/current/dirlink/b"), 0);
  EXPECT_EQ(error_of(kOwner, www + "/a.txt/b"), ENOTDIR);
  EXPECT_EQ(error_of(kOwner, www + "/none"), ENOENT);
  fs::create_symlink("loop", www + "/loop");
  EXPECT_EQ(error_of(kOwner, www + "/loop"), ELOOP);
  if (::geteuid() != 0) GTEST_SKIP() << "only root gives files away";
  ASSERT_EQ(::lchown((www + "/link").c_str(), 12345, 12345), 0);
  ASSERT_EQ(::lchown((www + "/dirlink").c_str(), 12345, 12345), 0);
  EXPECT_EQ(error_of(kOwner, www + "/link"), ELOOP);
  EXPECT_EQ(error_of(kOwner, www + "/dirlink/b"), ELOOP);
  EXPECT_EQ(error_of(kOwner, www + "/dirlink/b", www.size() + 8), 0);
}

TEST_F(RootsOnDisk, LinksOfTheKernelAreNeverFollowed) {
  fs::create_symlink("/proc/self/exe", www + "/magic");
  EXPECT_EQ(error_of("magic", anywhere), ELOOP);
}

TEST_F(RootsOnDisk, WhatIsNoFileNeverBlocks) {
  ASSERT_EQ(::mkfifo((www + "/fifo").c_str(), 0666), 0);
  EXPECT_EQ(open("fifo")->kind, File::Kind::special);
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un address{.sun_family = AF_UNIX, .sun_path = {}};
  (www + "/s").copy(address.sun_path, sizeof address.sun_path - 1);
  ASSERT_EQ(::bind(socket, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  ::close(socket);
  EXPECT_EQ(error_of("s"), ENXIO);
}

TEST_F(RootsOnDisk, ARootThatIsReplacedIsSeenWithinASecond) {
  fs::create_directories(base + "/next");
  write(base + "/next/a.txt", "the next release");
  fs::create_directory_symlink(www, base + "/current");
  const std::string current = base + "/current";
  const auto size = [&] {
    return roots
        .open({.directory = current, .below = "a.txt", .shown = "a.txt"}, {.follow = inside})
        ->size;
  };
  EXPECT_EQ(size(), 5U);
  fs::remove(current);
  fs::create_directory_symlink(base + "/next", current);
  EXPECT_EQ(size(), 5U) << "held";
  clock.advance(1010ms);
  loop.run_until_idle();
  EXPECT_EQ(roots.held(), 0U);
  EXPECT_EQ(size(), 16U);
}

TEST_F(RootsOnDisk, AreNotHeldInAnyNumber) {
  for (int i = 0; i < 200; ++i) {
    const std::string root = base + "/r" + std::to_string(i);
    fs::create_directory(root);
    static_cast<void>(
        roots.open({.directory = root, .below = ".", .shown = root}, {.follow = inside}));
    EXPECT_LE(roots.held(), 64U);
  }
}

TEST_F(RootsOnDisk, AMissingRootIsAMissingFile) {
  const std::string none = base + "/none";
  const auto file = roots.open({.directory = none, .below = "a", .shown = "a"}, {.follow = inside});
  ASSERT_FALSE(file);
  EXPECT_EQ(file.error().os_error, ENOENT);
}

}  // namespace
}  // namespace content
