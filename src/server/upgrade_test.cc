#include "server/upgrade.h"

#include <fmt/format.h>
#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

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
  const auto listeners = take_inherited_sockets();
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
  EXPECT_TRUE(take_inherited_sockets().empty());
  EXPECT_EQ(::close(pipe_like), 0);  // still open
}

TEST(Upgrade, NothingIsInheritedWithoutTheVariable) {
  ::unsetenv(kVariable);
  EXPECT_FALSE(has_inherited_sockets());
  EXPECT_TRUE(take_inherited_sockets().empty());
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
