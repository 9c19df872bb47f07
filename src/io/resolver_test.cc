// Names on loopback: literals, /etc/hosts, a name server of the test's own, and ones that are not
// there.
#include "io/resolver.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <optional>
#include <span>

#include "async/scope.h"

namespace io {
namespace {

using base::ErrorCode;

struct World {
  base::SystemClock clock;
  EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  async::Scope scope;
  std::unique_ptr<DnsResolver> resolver;

  explicit World(DnsOptions options = {}) {
    resolver = std::make_unique<DnsResolver>(loop, std::move(options));
  }
  ~World() {
    scope.request_stop();
    loop.run_until_idle();
  }
  /// Until every task has ended; the resolver's own time limits bound it.
  void run() {
    while (scope.running() != 0) loop.turn(std::chrono::milliseconds(100));
  }
};

using Answer = std::optional<base::Result<Resolution>>;

async::Task<void> ask(Resolver* resolver, std::string name, std::uint16_t port,
                      base::Deadline deadline, Answer* answer) {
  answer->emplace(co_await resolver->resolve(std::move(name), port, deadline));
}

Answer resolved(World& world, std::string name, std::uint16_t port) {
  Answer answer;
  world.scope.spawn(ask(world.resolver.get(), std::move(name), port, base::kNoDeadline, &answer));
  world.run();
  return answer;
}

/// A loopback port where no name server answers: a bound socket keeps it, and reads nothing.
class SilentServer {
 public:
  explicit SilentServer(std::string_view host = "127.0.0.1", std::uint16_t port = 0)
      : socket_(::socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0)) {
    const auto any = base::Address::from_ip(host, port);
    CHECK(::bind(socket_.get(), any->native(), any->native_size()) == 0);
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    CHECK(::getsockname(socket_.get(), reinterpret_cast<sockaddr*>(&storage), &size) == 0);
    address_ = base::Address::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
  }
  const base::Address& address() const { return address_; }
  int fd() const { return socket_.get(); }
  void close() { socket_.close(); }

 private:
  base::Fd socket_;
  base::Address address_;
};

class MovableClock final : public base::Clock {
 public:
  [[nodiscard]] base::TimePoint now() const noexcept override { return now_; }
  [[nodiscard]] base::WallTime wall() const noexcept override { return {}; }
  void advance(base::Duration by) noexcept { now_ += by; }

 private:
  base::TimePoint now_{std::chrono::hours(1000)};
};

/// A name server in the test's own thread: answers each A query with one address and TTL, each
/// other one with no records, or all with a failure.
class NameServer {
 public:
  enum class Mode : std::uint8_t { answer, no_such_name, server_failure };
  Mode mode = Mode::answer;
  std::uint8_t ttl = 60;
  std::vector<std::uint8_t> last_bytes{1};  // of 192.0.2.x, one record each
  int address_queries = 0;

  explicit NameServer(std::string_view host = "127.0.0.1", std::uint16_t port = 0)
      : socket_(host, port) {}
  [[nodiscard]] const base::Address& address() const { return socket_.address(); }

  void serve() {
    std::array<std::uint8_t, 512> query{};
    while (true) {
      sockaddr_storage from{};
      socklen_t size = sizeof from;
      const ssize_t got = ::recvfrom(socket_.fd(), query.data(), query.size(), MSG_DONTWAIT,
                                     reinterpret_cast<sockaddr*>(&from), &size);
      if (got < 17) return;
      const auto answer = reply(std::span(query).first(static_cast<std::size_t>(got)));
      ::sendto(socket_.fd(), answer.data(), answer.size(), 0, reinterpret_cast<sockaddr*>(&from),
               size);
    }
  }

 private:
  // RFC 1035 §4.1: the header and the question come back, then records that point at its name.
  std::vector<std::uint8_t> reply(std::span<const std::uint8_t> query) {
    std::vector<std::uint8_t> bytes(query.begin(), query.end());
    const bool wants_a = query[query.size() - 3] == 1;
    if (wants_a) ++address_queries;
    bytes[2] = 0x81;
    bytes[3] = 0x80;
    if (mode == Mode::no_such_name) bytes[3] |= 3;
    if (mode == Mode::server_failure) bytes[3] |= 2;
    if (mode != Mode::answer || !wants_a) return bytes;
    bytes[7] = static_cast<std::uint8_t>(last_bytes.size());
    for (const std::uint8_t last : last_bytes) {
      for (const int byte : {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, int{ttl}, 0, 4, 192, 0, 2, int{last}}) {
        bytes.push_back(static_cast<std::uint8_t>(byte));
      }
    }
    return bytes;
  }
  SilentServer socket_;
};

/// The loop's time is the test's, so that TTLs pass when it says so.
struct ServedWorld {
  MovableClock clock;
  EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  async::Scope scope;
  NameServer server;
  std::unique_ptr<DnsResolver> resolver;

  ServedWorld() {
    resolver = std::make_unique<DnsResolver>(
        loop, DnsOptions{.servers = {server.address()}, .max_addresses = 3});
  }
  void run() {
    for (int turns = 0; turns < 1000 && scope.running() != 0; ++turns) {
      server.serve();
      loop.turn(std::chrono::milliseconds(1));
    }
    ASSERT_EQ(scope.running(), 0U);
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.turn({});
  }
  Answer resolve(std::string name) {
    Answer answer;
    scope.spawn(ask(resolver.get(), std::move(name), 80, base::kNoDeadline, &answer));
    run();
    return answer;
  }
};

TEST(Resolver, AsksOnceForManyWhoWaitAndCachesForTheTtl) {
  ServedWorld world;
  Answer first;
  Answer second;
  world.scope.spawn(ask(world.resolver.get(), "a.example", 80, base::kNoDeadline, &first));
  world.scope.spawn(ask(world.resolver.get(), "A.Example", 81, base::kNoDeadline, &second));
  world.run();
  ASSERT_TRUE(*first && *second);
  EXPECT_EQ((*first)->addresses.front().text(), "192.0.2.1:80");
  EXPECT_EQ((*second)->addresses.front().text(), "192.0.2.1:81");
  EXPECT_EQ((*first)->ttl, std::chrono::seconds(60));
  world.pass(std::chrono::seconds(59));
  EXPECT_TRUE(*world.resolve("a.example"));
  EXPECT_EQ(world.server.address_queries, 1);
  world.pass(std::chrono::seconds(2));
  world.server.last_bytes = {2};
  const Answer later = world.resolve("a.example");
  EXPECT_EQ((*later)->addresses.front().text(), "192.0.2.2:80");
  EXPECT_EQ(world.server.address_queries, 2);
}

TEST(Resolver, BoundsTheAddressesOfAName) {
  ServedWorld world;
  world.server.last_bytes = {1, 2, 3, 4, 5, 5};
  EXPECT_EQ((*world.resolve("many.example"))->addresses.size(), 3U);
}

TEST(Resolver, KeepsAStaleAnswerWhenTheServerFails) {
  ServedWorld world;
  ASSERT_TRUE(*world.resolve("a.example"));
  world.server.mode = NameServer::Mode::server_failure;
  world.pass(std::chrono::seconds(61));
  const Answer stale = world.resolve("a.example");
  ASSERT_TRUE(*stale);
  EXPECT_TRUE((*stale)->stale);
  EXPECT_EQ((*stale)->addresses.front().text(), "192.0.2.1:80");
}

TEST(Resolver, ForgetsANameThatStaysGone) {
  ServedWorld world;
  ASSERT_TRUE(*world.resolve("a.example"));
  world.server.mode = NameServer::Mode::no_such_name;
  world.pass(std::chrono::seconds(61));
  EXPECT_TRUE(*world.resolve("a.example"));
  world.pass(DnsResolver::kGoneGrace);
  const Answer gone = world.resolve("a.example");
  ASSERT_FALSE(*gone);
  EXPECT_EQ(gone->error().code, ErrorCode::not_found);
  EXPECT_FALSE(world.resolver->known("a.example", 80));
}

TEST(Resolver, TreatsATtlOfZeroAsOneSecond) {
  ServedWorld world;
  world.server.ttl = 0;
  EXPECT_EQ((*world.resolve("a.example"))->ttl, DnsResolver::kMinTtl);
}

TEST(Resolver, TakesAddressesAsTheyAre) {
  World world;
  const Answer four = resolved(world, "192.0.2.7", 80);
  ASSERT_TRUE(four && *four);
  ASSERT_EQ((*four)->addresses.size(), 1U);
  EXPECT_EQ((*four)->addresses.front().text(), "192.0.2.7:80");
  const Answer six = resolved(world, "2001:db8::1", 443);
  ASSERT_TRUE(six && *six);
  EXPECT_EQ((*six)->addresses.front().text(), "[2001:db8::1]:443");
  EXPECT_TRUE(world.resolver->known("127.0.0.1", 1));
}

TEST(Resolver, FindsLocalhostWithoutAServer) {
  SilentServer silent;
  World world({.servers = {silent.address()}});
  const Answer answer = resolved(world, "LocalHost", 8080);
  ASSERT_TRUE(answer && *answer) << base::describe(answer->error());
  ASSERT_FALSE((*answer)->addresses.empty());
  for (const base::Address& address : (*answer)->addresses) {
    EXPECT_TRUE(address.is_loopback());
    EXPECT_EQ(address.port(), 8080);
  }
  EXPECT_GE((*answer)->ttl, DnsResolver::kMinTtl);
  EXPECT_FALSE((*answer)->stale);
  EXPECT_TRUE(world.resolver->known("localhost", 8080));
}

TEST(Resolver, RefusesWhatIsNoName) {
  World world;
  for (const std::string name : {"", "a b", "a/b", "a\nb"}) {
    const Answer answer = resolved(world, name, 80);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->error().code, ErrorCode::invalid) << name;
  }
  EXPECT_EQ(resolved(world, std::string(300, 'a'), 80)->error().code, ErrorCode::invalid);
}

TEST(Resolver, FailsWhereNoServerListensAndRemembersItForAWhile) {
  SilentServer gone;
  const base::Address address = gone.address();
  gone.close();
  World world({.servers = {address}, .query_timeout = std::chrono::milliseconds(20), .tries = 1});
  const Answer answer = resolved(world, "backend.example", 80);
  ASSERT_TRUE(answer);
  ASSERT_FALSE(*answer);
  EXPECT_TRUE(answer->error().is(ErrorCode::refused) || answer->error().is(ErrorCode::timed_out))
      << base::describe(answer->error());
  EXPECT_FALSE(world.resolver->known("backend.example", 80));
}

TEST(Resolver, GivesUpAtTheDeadlineAndLetsTheQueryGoOn) {
  SilentServer silent;
  World world({.servers = {silent.address()}});
  Answer first;
  Answer second;
  const auto soon = world.loop.now() + std::chrono::milliseconds(10);
  world.scope.spawn(ask(world.resolver.get(), "slow.example", 80, soon, &first));
  world.scope.spawn(ask(world.resolver.get(), "slow.example", 80, soon, &second));
  world.run();
  EXPECT_EQ(first->error().code, ErrorCode::timed_out);
  EXPECT_EQ(second->error().code, ErrorCode::timed_out);
}

TEST(Resolver, IsCancelledByItsScope) {
  SilentServer silent;
  World world({.servers = {silent.address()}});
  Answer answer;
  world.scope.spawn(ask(world.resolver.get(), "slow.example", 80, base::kNoDeadline, &answer));
  world.loop.run_until_idle();
  EXPECT_FALSE(answer);
  world.scope.request_stop();
  world.run();
  EXPECT_EQ(answer->error().code, ErrorCode::cancelled);
}

TEST(Resolver, BoundsTheNumberOfNamesThatAreBeingAskedFor) {
  SilentServer silent;
  World world({.servers = {silent.address()}, .max_names = 2});
  EXPECT_FALSE(world.resolver->known("one.example", 80));
  EXPECT_FALSE(world.resolver->known("two.example", 80));
  EXPECT_EQ(resolved(world, "three.example", 80)->error().code, ErrorCode::exhausted);
}

/// Asks the name servers of a resolv.conf of the test's own.
struct SystemWorld {
  MovableClock clock;
  EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  async::Scope scope;
  std::string path = ::testing::TempDir() + "resolv_conf_" + std::to_string(::getpid());
  NameServer one;
  NameServer two{"127.0.0.2", one.address().port()};
  std::unique_ptr<DnsResolver> resolver;

  SystemWorld() {
    one.last_bytes = {1};
    two.last_bytes = {2};
    write(one);
    DnsSurroundings around;
    around.hosts_file = "/nonexistent";
    around.resolv_conf = path;
    around.resolv_conf_port = one.address().port();
    resolver = std::make_unique<DnsResolver>(loop, DnsOptions{}, std::move(around));
  }
  ~SystemWorld() {
    scope.request_stop();
    loop.run_until_idle();
    std::remove(path.c_str());
  }
  void write(const NameServer& server) const {
    std::ofstream(path) << "search test.example\nnameserver " << server.address().ip_text() << "\n";
  }
  Answer resolve(std::string name) {
    Answer answer;
    scope.spawn(ask(resolver.get(), std::move(name), 80, base::kNoDeadline, &answer));
    for (int turns = 0; turns < 1000 && scope.running() != 0; ++turns) {
      one.serve();
      two.serve();
      loop.turn(std::chrono::milliseconds(1));
    }
    CHECK(scope.running() == 0);
    return answer;
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.turn({});
  }
};

TEST(Resolver, NoticesAChangeOfResolvConf) {
  SystemWorld world;
  EXPECT_EQ((*world.resolve("a.example"))->addresses.front().text(), "192.0.2.1:80");
  world.write(world.two);
  world.pass(std::chrono::seconds(61));
  EXPECT_EQ((*world.resolve("a.example"))->addresses.front().text(), "192.0.2.2:80");
}

TEST(Resolver, AsksNewServersWhatWasUnderWay) {
  SystemWorld world;
  EXPECT_FALSE(world.resolver->known("slow.example", 80));  // nobody serves it yet
  world.loop.run_until_idle();
  world.write(world.two);
  world.pass(std::chrono::seconds(1));
  EXPECT_TRUE(*world.resolve("b.example"));
  world.one.address_queries = 0;
  EXPECT_EQ((*world.resolve("slow.example"))->addresses.front().text(), "192.0.2.2:80");
}

}  // namespace
}  // namespace io
