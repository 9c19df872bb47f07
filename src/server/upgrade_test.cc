#include "server/upgrade.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdlib>

#include "io/socket.h"
#include "server/opening.h"

namespace server {
namespace {

constexpr const char* kVariable = "SALLYPORT_SOCKETS";

/// A listening socket as a predecessor leaves it: open across an exec, with nobody to close it.
struct Left {
  base::Address address;
  int fd;
};
Left leave_socket(const base::Address& address) {
  auto socket = io::open_listener(address, {.reuse_port = !address.is_unix()});
  EXPECT_TRUE(socket);
  sockaddr_storage storage{};
  socklen_t size = sizeof storage;
  EXPECT_EQ(::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&storage), &size), 0);
  const int fd = ::dup(socket->get());
  return {base::Address::from_native(reinterpret_cast<const sockaddr*>(&storage), size), fd};
}

TEST(Upgrade, FindsTheSocketsOfAnAddressTogether) {
  const Left first = leave_socket(*base::Address::from_ip("127.0.0.1", 0));
  const Left second = leave_socket(first.address);
  const Left other = leave_socket(*base::Address::from_ip("127.0.0.1", 0));
  ::setenv(kVariable, fmt::format("{};{};{}", first.fd, other.fd, second.fd).c_str(), 1);
  EXPECT_TRUE(has_inherited_sockets());
  const auto listeners = take_inheritance().listeners;
  EXPECT_FALSE(has_inherited_sockets());
  ASSERT_EQ(listeners.size(), 2U);
  EXPECT_EQ(listeners[0].address, first.address);
  EXPECT_EQ(listeners[0].sockets.size(), 2U);
  EXPECT_EQ(listeners[1].address, other.address);
  EXPECT_EQ(listeners[1].sockets.size(), 1U);
}

TEST(Upgrade, LeavesAloneWhatIsNoListeningSocket) {
  const int pipe_like = ::dup(STDERR_FILENO);
  ::setenv(kVariable, fmt::format("2;{};60000;x;-1;;99999999999", pipe_like).c_str(), 1);
  EXPECT_TRUE(take_inheritance().listeners.empty());
  EXPECT_EQ(::close(pipe_like), 0);  // still open
}

TEST(Upgrade, KnowsWhichSocketsAreTheServiceManagers) {
  const Left ours = leave_socket(*base::Address::from_ip("127.0.0.1", 0));
  const Left managers = leave_socket(*base::Address::from_ip("127.0.0.1", 0));
  ::setenv(kVariable, fmt::format("{};{}", ours.fd, managers.fd).c_str(), 1);
  ::setenv("SALLYPORT_ACTIVATED", fmt::format("{}", managers.fd).c_str(), 1);
  const auto listeners = take_inheritance().listeners;
  ASSERT_EQ(listeners.size(), 2U);
  EXPECT_FALSE(listeners[0].activated);
  EXPECT_TRUE(listeners[1].activated);
  EXPECT_EQ(std::getenv("SALLYPORT_ACTIVATED"), nullptr);
}

TEST(Upgrade, TakesTheFileOfTheTicketSecret) {
  const int file = ::memfd_create("tickets", 0);
  ::setenv("SALLYPORT_TICKETS", fmt::format("{}", file).c_str(), 1);
  {
    const Inheritance all = take_inheritance();
    EXPECT_EQ(all.tickets.get(), file);
    EXPECT_EQ(::fcntl(file, F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(std::getenv("SALLYPORT_TICKETS"), nullptr);
  ::setenv("SALLYPORT_TICKETS", "2;60000;x", 1);
  EXPECT_FALSE(take_inheritance().tickets);
}

TEST(Upgrade, TakesTheSocketOnWhichTheOldProgramSpeaks) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_SEQPACKET, 0, ends.data()), 0);
  const base::Fd other(ends[1]);
  ::setenv("SALLYPORT_OLD_PROGRAM", fmt::format("{}", ends[0]).c_str(), 1);
  {
    const Inheritance all = take_inheritance();
    EXPECT_EQ(all.old_program.get(), ends[0]);
    EXPECT_EQ(::fcntl(ends[0], F_GETFD), FD_CLOEXEC);
  }
  EXPECT_EQ(std::getenv("SALLYPORT_OLD_PROGRAM"), nullptr);
  ::setenv("SALLYPORT_OLD_PROGRAM", "2;60000;x", 1);
  EXPECT_FALSE(take_inheritance().old_program);
}

TEST(Upgrade, NothingIsInheritedWithoutTheVariable) {
  ::unsetenv(kVariable);
  EXPECT_FALSE(has_inherited_sockets());
  EXPECT_TRUE(take_inheritance().listeners.empty());
}

TEST(NeedsNewProcess, NamesTheDirectives) {
  snapshot::ProcessOptions old;
  old.user = "a";
  old.worker_processes = 2;
  EXPECT_TRUE(needs_new_process(old, old).empty());
  snapshot::ProcessOptions wanted = old;
  wanted.worker_connections = 7;  // taken over in place
  EXPECT_TRUE(needs_new_process(old, wanted).empty());
  wanted.worker_processes = 3;
  wanted.user = "b";
  EXPECT_EQ(needs_new_process(old, wanted),
            (std::vector<std::string_view>{"worker_processes", "user"}));
}

}  // namespace
}  // namespace server
