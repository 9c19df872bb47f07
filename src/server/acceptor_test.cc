#include "server/acceptor.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <string>

#include "io/testing/fake_clock.h"

namespace server {
namespace {

using namespace std::chrono_literals;
using observe::Counter;
using ::testing::HasSubstr;

// A client is served until its channel closes.
async::Task<void> serve_one(io::Accepted accepted, async::Channel<char>* over) {
  const base::Fd socket = std::move(accepted.socket);
  static_cast<void>(co_await over->arrival());
}

struct World {
  World() {
    auto socket = io::open_listener(*base::Address::from_ip("127.0.0.1", 0), {});
    sockaddr_storage storage{};
    socklen_t size = sizeof storage;
    EXPECT_EQ(::getsockname(socket->get(), reinterpret_cast<sockaddr*>(&storage), &size), 0);
    address = base::Address::from_native(reinterpret_cast<const sockaddr*>(&storage), size);
    acceptor = std::make_unique<Acceptor>(
        Acceptor::Surroundings{loop, connections, limit, relief, counters, log, serve}, address,
        io::Listener::adopt(loop, *std::move(socket)).value());
    accepting.spawn(acceptor->run());
    loop.run_until_idle();
  }
  ~World() {
    accepting.request_stop();
    connections.request_stop();
    loop.run_until_idle();
  }
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  // Its connection stands in the listener's queue when this returns.
  base::Fd connect() {
    base::Fd client(::socket(address.native()->sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
    EXPECT_EQ(::connect(client.get(), address.native(), address.native_size()), 0);
    return client;
  }
  // Time passes in steps, so that whoever looks again every few milliseconds does.
  void pass(base::Duration time) {
    for (base::Duration gone{}; gone < time; gone += 10ms) {
      clock.advance(10ms);
      loop.run_until_idle();
    }
  }
  [[nodiscard]] std::string errors() const {
    std::array<char, 8192> text{};
    const ssize_t size = ::pread(log_file, text.data(), text.size(), 0);
    return {text.data(), static_cast<std::size_t>(size)};
  }

  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  async::Scope accepting;
  async::Scope connections;
  ConnectionLimit limit;
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  int log_file = ::memfd_create("log", MFD_CLOEXEC);
  std::shared_ptr<const observe::ErrorLog> log =
      std::make_shared<const observe::ErrorLog>(base::Fd(log_file), observe::Level::info);
  std::shared_ptr<proxy::Site> site;
  Pressure pressure{1'000'000};
  Relief relief{pressure, {loop, connections, site, counters, log}};
  std::array<async::Channel<char>, 4> over{async::Channel<char>(1), async::Channel<char>(1),
                                           async::Channel<char>(1), async::Channel<char>(1)};
  std::size_t served = 0;
  Acceptor::Serve serve = [this](io::Accepted accepted, const base::Address& local) {
    EXPECT_EQ(local, address);
    return serve_one(std::move(accepted), &over.at(served++));
  };
  base::Address address;
  std::unique_ptr<Acceptor> acceptor;
};

TEST(Acceptor, GivesEachConnectionItsTaskAndCountsIt) {
  World world;
  const base::Fd one = world.connect();
  const base::Fd two = world.connect();
  world.loop.run_until_idle();
  EXPECT_EQ(world.served, 2U);
  EXPECT_EQ(world.limit.open(), 2U);
  EXPECT_EQ(world.counters.get(Counter::connections_accepted), 2U);
  EXPECT_EQ(world.counters.get(Counter::connections_active), 2U);
  world.over[0].close();
  world.loop.run_until_idle();
  EXPECT_EQ(world.limit.open(), 1U);
  EXPECT_EQ(world.counters.get(Counter::connections_active), 1U);
  EXPECT_EQ(world.counters.get(Counter::connections_closed), 1U);
}

TEST(Acceptor, AFullWorkerLeavesClientsInTheQueueUntilOneEnds) {
  World world;
  world.limit.set_limit(1);
  const base::Fd one = world.connect();
  const base::Fd two = world.connect();
  const base::Fd three = world.connect();
  world.loop.run_until_idle();
  world.pass(1s);
  EXPECT_EQ(world.served, 1U);
  EXPECT_EQ(world.counters.get(Counter::limit_worker_connections), 1U);
  EXPECT_THAT(world.errors(), HasSubstr("[alert]"));
  EXPECT_THAT(world.errors(), HasSubstr("1 worker_connections are not enough"));
  world.over[0].close();
  world.loop.run_until_idle();
  EXPECT_EQ(world.served, 2U);
  EXPECT_EQ(world.limit.open(), 1U);
  world.over[1].close();
  world.loop.run_until_idle();
  EXPECT_EQ(world.served, 3U);
}

TEST(Acceptor, AHigherLimitIsUsedAtOnce) {
  World world;
  world.limit.set_limit(1);
  const base::Fd one = world.connect();
  const base::Fd two = world.connect();
  world.loop.run_until_idle();
  EXPECT_EQ(world.served, 1U);
  world.limit.set_limit(2);
  world.loop.run_until_idle();
  EXPECT_EQ(world.served, 2U);
}

TEST(Acceptor, TellsOfAWorkerThatStaysFullOnce) {
  World world;
  world.limit.set_limit(1);
  const std::array clients{world.connect(), world.connect(), world.connect()};
  for (std::size_t i = 0; i < 2; ++i) {
    world.loop.run_until_idle();
    world.over.at(i).close();
  }
  world.loop.run_until_idle();
  const std::string errors = world.errors();
  const std::size_t first = errors.find("worker_connections");
  ASSERT_NE(first, std::string::npos);
  EXPECT_EQ(errors.find("worker_connections", first + 1), std::string::npos) << errors;
}

TEST(Acceptor, AsItEndsItTakesWhatIsQueued) {
  World world;
  const base::Fd one = world.connect();
  const base::Fd two = world.connect();
  world.accepting.request_stop();
  world.loop.run_until_idle();
  EXPECT_EQ(world.served, 2U);
  EXPECT_EQ(world.accepting.running(), 0U);
  EXPECT_EQ(world.connections.running(), 2U) << "a connection outlives its listener";
}

TEST(Acceptor, EndsWhileItWaitsForRoom) {
  World world;
  world.limit.set_limit(1);
  const base::Fd served = world.connect();
  const base::Fd waiting = world.connect();
  world.pass(100ms);
  world.accepting.request_stop();
  world.loop.run_until_idle();
  EXPECT_EQ(world.accepting.running(), 0U);
  EXPECT_EQ(world.served, 1U);
}

TEST(Acceptor, MemoryThatIsExhaustedMakesNewOnesWait) {
  World world;
  world.pressure.set_memory_limit(100);
  world.pressure.set_memory_used(100);
  const base::Fd first = world.connect();
  world.loop.run_until_idle();
  EXPECT_EQ(world.served, 1U) << "some must be served, whatever takes the memory";
  const base::Fd second = world.connect();
  world.pass(1s);
  EXPECT_EQ(world.served, 1U);
  EXPECT_EQ(world.counters.get(Counter::limit_memory), 1U);
  world.pressure.set_memory_used(1);
  world.pass(1s);
  EXPECT_EQ(world.served, 2U);
}

}  // namespace
}  // namespace server
