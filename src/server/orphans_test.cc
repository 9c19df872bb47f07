#include "server/orphans.h"

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <string>
#include <string_view>
#include <vector>

#include "base/address.h"
#include "io/socket.h"
#include "server/succession.h"

namespace server {
namespace {

using namespace std::chrono_literals;

/// What a recv() of the peer says: "FIN", "RST" (also behind a FIN), "nothing", or the bytes.
std::string heard(const base::Fd& socket) {
  pollfd entry{.fd = socket.get(), .events = POLLIN, .revents = 0};
  if (::poll(&entry, 1, 0) != 1) return "nothing";
  std::array<char, 100> bytes{};
  const ssize_t got = ::recv(socket.get(), bytes.data(), bytes.size(), MSG_DONTWAIT);
  int error = 0;
  socklen_t size = sizeof error;
  ::getsockopt(socket.get(), SOL_SOCKET, SO_ERROR, &error, &size);
  if (got == 0) return error == 0 ? "FIN" : "RST";
  if (got < 0) return errno == ECONNRESET ? "RST" : "error";
  return {bytes.data(), static_cast<std::size_t>(got)};
}

void say(const base::Fd& socket, std::string_view words) {
  ASSERT_EQ(::send(socket.get(), words.data(), words.size(), MSG_NOSIGNAL),
            static_cast<ssize_t>(words.size()));
}

void hear(const base::Fd& socket, std::size_t count) {
  std::array<char, 100> bytes{};
  ASSERT_EQ(::recv(socket.get(), bytes.data(), count, MSG_WAITALL), static_cast<ssize_t>(count));
}

/// A listening socket, clients of it, and what a server process has accepted of them.
class OrphansTest : public ::testing::Test {
 protected:
  struct Connection {
    base::Fd client;
    base::Fd accepted;
  };

  explicit OrphansTest(base::Address address = *base::Address::from_ip("127.0.0.1", 0))
      : listener(*io::open_listener(address, {})) {}

  Connection connect() {
    const base::Address address = local_address(listener.get());
    base::Fd client(::socket(address.family(), SOCK_STREAM, 0));
    EXPECT_EQ(::connect(client.get(), address.native(), address.native_size()), 0);
    pollfd entry{.fd = listener.get(), .events = POLLIN, .revents = 0};
    ::poll(&entry, 1, 20000);
    base::Fd accepted(::accept4(listener.get(), nullptr, nullptr, SOCK_CLOEXEC));
    EXPECT_TRUE(accepted);
    return {std::move(client), std::move(accepted)};
  }
  /// The server process is gone.
  void settle(const OrphanLimits& limits = {.ending = 10ms, .giving = 10ms, .bytes = 1000}) {
    std::vector<int> descriptors{listener.release()};
    for (base::Fd& orphan : orphans) descriptors.push_back(orphan.release());
    settle_orphans(descriptors, succession.giver.get(), limits);
  }

  Succession succession = *Succession::make();
  base::Fd listener;
  std::vector<base::Fd> orphans;
};

TEST_F(OrphansTest, WhatWasNotReadFromIsHandedOnWithWhatLiesInIt) {
  auto [client, accepted] = connect();
  say(client, "GET");
  orphans.push_back(std::move(accepted));
  settle();
  const base::Fd taken = *take(succession.taker.get());
  ASSERT_TRUE(taken);
  hear(taken, 3);
  EXPECT_EQ(heard(client), "nothing");
  EXPECT_TRUE(take(succession.taker.get()).error().is(base::ErrorCode::would_block));
}

TEST_F(OrphansTest, WhatThePeerHasEndedAlreadyIsHandedOnToo) {
  auto [client, accepted] = connect();
  say(client, "GET");
  ::shutdown(client.get(), SHUT_WR);
  orphans.push_back(std::move(accepted));
  settle();
  EXPECT_TRUE(take(succession.taker.get()));
}

TEST_F(OrphansTest, WhatWasReadFromEndsInOrderWhateverLiesInIt) {
  auto [client, accepted] = connect();
  say(client, "GET");
  hear(accepted, 1);
  orphans.push_back(std::move(accepted));
  settle();
  EXPECT_EQ(heard(client), "FIN");
  EXPECT_FALSE(take(succession.taker.get()));
}

TEST_F(OrphansTest, WhatWasAnsweredEndsInOrder) {
  auto [client, accepted] = connect();
  say(accepted, "early");
  orphans.push_back(std::move(accepted));
  settle();
  EXPECT_EQ(heard(client), "early");
  EXPECT_EQ(heard(client), "FIN");
}

TEST_F(OrphansTest, WhatIsNeverOverIsReadAwayUpToALimit) {
  auto [client, accepted] = connect();
  say(client, "x");
  hear(accepted, 1);
  say(client, std::string(2000, 'x'));
  orphans.push_back(std::move(accepted));
  settle({.ending = 24h, .giving = 24h, .bytes = 1000});  // else it would return tomorrow
  EXPECT_NE(heard(client), "nothing");
}

TEST_F(OrphansTest, ReturnsAsSoonAsThePeersHaveEndedToo) {
  auto [client, accepted] = connect();
  say(client, "x");
  hear(accepted, 1);
  client.close();
  orphans.push_back(std::move(accepted));
  settle({.ending = 24h, .giving = 24h, .bytes = 1000});
}

TEST_F(OrphansTest, WithoutAnybodyToTakeItEverythingEndsInOrder) {
  auto [client, accepted] = connect();
  say(client, "GET");
  orphans.push_back(std::move(accepted));
  succession.taker.close();
  settle({.ending = 10ms, .giving = 24h, .bytes = 1000});
  EXPECT_EQ(heard(client), "FIN");
}

TEST_F(OrphansTest, WhatNobodyTakesInTimeEndsInOrder) {
  while (give(succession.giver.get(), listener.get()) == Given::yes) {
  }
  auto [client, accepted] = connect();
  say(client, "GET");
  orphans.push_back(std::move(accepted));
  settle();
  EXPECT_EQ(heard(client), "FIN");
}

TEST_F(OrphansTest, AConnectionToABackendIsNotHandedOn) {
  auto [ours, backend] = connect();
  orphans.push_back(std::move(ours));
  // Another listener: the one of connect() is the backend's.
  base::Fd of_backend =
      std::exchange(listener, *io::open_listener(*base::Address::from_ip("127.0.0.1", 0), {}));
  settle();
  EXPECT_EQ(heard(backend), "FIN");
  EXPECT_FALSE(take(succession.taker.get()));
}

TEST_F(OrphansTest, ASocketThatIsSharedWithOthersIsOnlyClosed) {
  std::array<int, 2> ends{};
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0);
  const base::Fd journal(ends[0]);
  const base::Fd ours(ends[1]);
  orphans.push_back(ours.duplicate());
  settle();
  say(ours, "still open");
  EXPECT_EQ(heard(journal), "still open");
}

class UnixOrphansTest : public OrphansTest {
 protected:
  // The name is the machine's, where several builds may run their tests at once.
  UnixOrphansTest()
      : OrphansTest(*base::Address::from_path("@sallyport-orphans-" + std::to_string(::getpid()))) {
  }
};

TEST_F(UnixOrphansTest, WhatWasNotReadFromIsHandedOnWithWhatLiesInIt) {
  auto [client, accepted] = connect();
  mark_as_unread(accepted.get());
  say(client, "GET");
  orphans.push_back(std::move(accepted));
  settle();
  const base::Fd taken = *take(succession.taker.get());
  ASSERT_TRUE(taken);
  hear(taken, 3);
  EXPECT_EQ(heard(client), "nothing");
}

TEST_F(UnixOrphansTest, WhatWasReadFromEndsInOrderWhateverLiesInIt) {
  auto [client, accepted] = connect();
  mark_as_unread(accepted.get());
  say(client, "GET");
  hear(accepted, 1);
  orphans.push_back(std::move(accepted));
  settle();
  EXPECT_EQ(heard(client), "FIN");
}

class WildcardOrphansTest : public OrphansTest {
 protected:
  WildcardOrphansTest() : OrphansTest(*base::Address::from_ip("0.0.0.0", 0)) {}
};

TEST_F(WildcardOrphansTest, AClientOfAWildcardAddressIsHandedOn) {
  auto [client, accepted] = connect();
  orphans.push_back(std::move(accepted));
  settle();
  EXPECT_TRUE(take(succession.taker.get()));
}

}  // namespace
}  // namespace server
