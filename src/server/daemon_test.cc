#include "server/daemon.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <string>

#include "observe/error_log.h"

namespace server {
namespace {

// The status with which the process exits that `body`, run in the detached one, leaves behind.
template <class Body>
int status_of_starter(Body body) {
  const pid_t starter = ::fork();
  if (starter == 0) {
    auto daemon = Daemon::detach();
    if (!daemon) ::_exit(99);
    body(*daemon);
    ::_exit(98);  // in the detached process: nobody sees it
  }
  int status = 0;
  EXPECT_EQ(::waitpid(starter, &status, 0), starter);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status);
}

TEST(Daemon, TheStarterExitsWithWhatItIsTold) {
  EXPECT_EQ(status_of_starter([](Daemon& daemon) { daemon.tell(0); }), 0);
  EXPECT_EQ(status_of_starter([](Daemon& daemon) { daemon.tell(3); }), 3);
}

TEST(Daemon, OnlyTheFirstWordCounts) {
  EXPECT_EQ(status_of_starter([](Daemon& daemon) {
              daemon.tell(0);
              daemon.tell(1);
            }),
            0);
}

TEST(Daemon, ADeathWithoutAWordIsAFailure) {
  EXPECT_EQ(status_of_starter([](Daemon&) { ::_exit(0); }), 1);
}

TEST(Daemon, LeavesTheTerminalBehind) {
  EXPECT_EQ(status_of_starter([](Daemon& daemon) {
              const auto is_null = [](int fd) {
                struct stat null{};
                struct stat open{};
                return ::stat("/dev/null", &null) == 0 && ::fstat(fd, &open) == 0 &&
                       null.st_rdev == open.st_rdev;
              };
              const bool leads = ::getsid(0) == ::getpid();
              const bool quiet = is_null(STDIN_FILENO) && is_null(STDOUT_FILENO);
              daemon.tell(leads && quiet && ::umask(0) == 0022 ? 0 : 1);
            }),
            0);
}

TEST(Daemon, InTheForegroundThereIsNobodyToTell) {
  Daemon daemon;
  daemon.tell(1);
}

TEST(RedirectStderr, SendsWhatLibrariesSayToTheErrorLog) {
  base::Fd file(::memfd_create("log", MFD_CLOEXEC));
  const base::Fd seen = file.duplicate();
  const observe::ErrorLog log(std::move(file), observe::Level::error);
  const pid_t child = ::fork();
  if (child == 0) {
    redirect_stderr(log);
    ::_exit(::write(STDERR_FILENO, "said\n", 5) == 5 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0);
  std::array<char, 16> text{};
  const ssize_t size = ::pread(seen.get(), text.data(), text.size(), 0);
  EXPECT_EQ(std::string(text.data(), static_cast<std::size_t>(size)), "said\n");
}

}  // namespace
}  // namespace server
