// Attempts at a cluster, with a connector and a resolver of the test's own.
#include "upstream/cluster.h"
#include "upstream/cluster_report.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <map>
#include <optional>
#include <set>

#include "async/scope.h"
#include "io/testing/fake_clock.h"
#include "io/testing/pipe.h"
#include "upstream/cluster_cache.h"

namespace upstream {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using observe::Counter;
using ::testing::ElementsAre;

/// Gives pipes; addresses in `refusing` refuse, those in `silent` never answer.
class PipeConnector final : public Connector {
 public:
  explicit PipeConnector(io::EventLoop& loop) : loop_(loop) {}

  async::Task<base::Result<std::unique_ptr<io::Stream>>> connect(base::Address peer,
                                                                 base::Deadline deadline) override {
    connected.push_back(peer.text());
    if (refusing.contains(peer.text())) {
      co_return base::fail(base::error_from_errno(ECONNREFUSED, "connect() failed"));
    }
    auto [ours, backend] = io::testing::make_pipe(loop_);
    if (silent.contains(peer.text())) {
      CO_TRY_VOID(co_await io::ready(*ours, io::Direction::read, deadline, io::Waiting::busy));
    }
    backends.push_back(std::move(backend));
    co_return std::move(ours);
  }
  async::Task<std::expected<Transport, HandshakeFailure>> secure(std::unique_ptr<io::Stream> plain,
                                                                 TlsTarget target,
                                                                 std::string session_key,
                                                                 base::Deadline) override {
    handshakes.push_back(session_key + " " + std::string(target.server_name));
    if (untrusted) {
      co_return std::unexpected(HandshakeFailure{.error = {.code = ErrorCode::untrusted},
                                                 .sentence = "certificate has expired",
                                                 .directive = "proxy_ssl_verify",
                                                 .counter = Counter::upstream_revoked});
    }
    co_return Transport{.stream = std::move(plain)};
  }

  std::vector<std::string> connected;
  std::vector<std::string> handshakes;
  std::vector<std::unique_ptr<io::Stream>> backends;
  std::set<std::string> refusing;
  std::set<std::string> silent;
  bool untrusted = false;

 private:
  io::EventLoop& loop_;
};

class TableResolver final : public io::Resolver {
 public:
  std::map<std::string, std::vector<io::ServiceAddress>, std::less<>> services;
  std::map<std::string, std::vector<std::string>, std::less<>> table;
  int questions = 0;
  base::Duration overdue{};  // of what is known; resolve() brings the news

  async::Task<base::Result<io::Resolution>> resolve(std::string name, std::uint16_t port,
                                                    base::Deadline /*deadline*/) override {
    auto found = find(name, port);
    if (!found) co_return base::fail(ErrorCode::not_found, "host not found");
    co_return *std::move(found);
  }
  std::optional<io::Resolution> known(std::string_view name, std::uint16_t port) override {
    // Nothing is known before somebody has waited for it, as with a name server far away.
    if (asked_.insert(std::string(name)).second) return std::nullopt;
    if (overdue == base::Duration{}) return find(name, port);
    auto old = io::Resolution{.addresses = {}, .ttl = 1s, .stale = true, .overdue = overdue};
    old.addresses.push_back(*base::Address::from_ip("10.0.0.99", port));
    return old;
  }
  async::Task<base::Result<io::ServiceResolution>> resolve_service(
      std::string name, base::Deadline /*deadline*/) override {
    auto found = known_service(name);
    if (!found) co_return base::fail(ErrorCode::not_found, "host not found");
    co_return *std::move(found);
  }
  std::optional<io::ServiceResolution> known_service(std::string_view name) override {
    const auto found = services.find(name);
    if (found == services.end()) return std::nullopt;
    return io::ServiceResolution{.addresses = found->second, .ttl = 30s};
  }

 private:
  std::optional<io::Resolution> find(std::string_view name, std::uint16_t port) {
    ++questions;
    const auto found = table.find(name);
    if (found == table.end()) return std::nullopt;
    io::Resolution resolution{.addresses = {}, .ttl = 30s};
    for (const std::string& ip : found->second) {
      resolution.addresses.push_back(*base::Address::from_ip(ip, port));
    }
    return resolution;
  }
  std::set<std::string> asked_;
};

/// One resolver for all options; remembers which were asked for.
class OneResolver final : public io::Resolvers {
 public:
  std::shared_ptr<TableResolver> resolver = std::make_shared<TableResolver>();
  std::vector<io::DnsOptions> asked;
  std::shared_ptr<io::Resolver> find(const io::DnsOptions& options) override {
    asked.push_back(options);
    return resolver;
  }
};

struct World {
  io::testing::FakeClock clock;
  io::EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  async::Scope scope;
  PipeConnector connector{loop};
  OneResolver resolvers;
  TableResolver& resolver = *resolvers.resolver;
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  std::unique_ptr<Cluster> cluster;

  Surroundings surroundings() { return {loop, resolvers, connector, counters}; }
  explicit World(std::vector<EndpointSpec> endpoints, KeepAlive keep_alive = {}) {
    auto spec = std::make_shared<ClusterSpec>();
    spec->name = "backend";
    spec->endpoints = std::move(endpoints);
    spec->keep_alive = keep_alive;
    cluster = std::make_unique<Cluster>(std::move(spec), surroundings());
  }
  static async::Task<void> run(Cluster* cluster, Attempts* attempts, Target target,
                               std::optional<Acquired>* into) {
    into->emplace(co_await cluster->acquire(attempts, target));
  }
  std::optional<Acquired> begin(Attempts& attempts, Target target = {}) {
    std::optional<Acquired> acquired;
    scope.spawn(run(cluster.get(), &attempts, target, &acquired));
    loop.run_until_idle();
    return acquired;
  }
  Acquired acquire(Attempts& attempts, Target target = {}) {
    std::optional<Acquired> acquired = begin(attempts, target);
    CHECK(acquired.has_value());
    return *std::move(acquired);
  }
  /// The peer that a request of its own gets, which then succeeds.
  std::string serve() {
    Attempts attempts;
    Acquired lease = acquire(attempts);
    if (!lease) return "-";
    std::string name = lease->peer_name();
    lease->report(Outcome::success);
    lease->release_for_reuse();
    return name;
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.run_until_idle();
  }
};

EndpointSpec endpoint(std::string_view text) {
  auto parsed = parse_endpoint(text);
  CHECK(parsed.has_value());
  return *std::move(parsed);
}
EndpointSpec backup(std::string_view text) {
  EndpointSpec spec = endpoint(text);
  spec.backup = true;
  return spec;
}

TEST(Cluster, ReusesAConnectionAndCountsItsRequests) {
  World world({endpoint("10.0.0.1:81")});
  {
    Attempts attempts;
    Acquired lease = world.acquire(attempts);
    ASSERT_TRUE(lease);
    EXPECT_FALSE(lease->reused());
    EXPECT_EQ(world.counters.get(Counter::upstream_active), 1U);
    lease->release_for_reuse();
    EXPECT_TRUE(lease->empty());
  }
  Attempts attempts;
  const Acquired lease = world.acquire(attempts);
  ASSERT_TRUE(lease);
  EXPECT_TRUE(lease->reused());
  EXPECT_EQ(lease->requests(), 1U);
  EXPECT_EQ(lease->address().text(), "10.0.0.1:81");
  EXPECT_EQ(world.connector.connected.size(), 1U);
  EXPECT_EQ(world.counters.get(Counter::upstream_connects), 1U);
  EXPECT_EQ(world.counters.get(Counter::upstream_reuses), 1U);
}

TEST(Cluster, ClosesALeaseThatIsDropped) {
  World world({endpoint("10.0.0.1")});
  {
    Attempts attempts;
    const Acquired lease = world.acquire(attempts);
    ASSERT_TRUE(lease);
  }
  EXPECT_EQ(world.cluster->in_use(), 0U);
  EXPECT_EQ(world.cluster->idle_connections(), 0U);
  std::array<char, 1> byte{};
  EXPECT_EQ(world.connector.backends.at(0)->try_read(byte).value_or(9), 0U);
}

TEST(Cluster, ConnectsAfreshToTheSamePeerWhenAKeptConnectionDied) {
  World world({endpoint("10.0.0.1"), endpoint("10.0.0.2")});
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  EXPECT_EQ(world.serve(), "10.0.0.2:80");
  Attempts attempts;
  {
    const Acquired kept = world.acquire(attempts);
    ASSERT_TRUE(kept && kept->reused());
    EXPECT_EQ(kept->peer_name(), "10.0.0.1:80");
  }
  attempts.repeat_fresh();
  const Acquired fresh = world.acquire(attempts);
  ASSERT_TRUE(fresh);
  EXPECT_FALSE(fresh->reused());
  EXPECT_EQ(fresh->peer_name(), "10.0.0.1:80");
  EXPECT_EQ(attempts.count(), 1U);
}

TEST(Cluster, TakesNoIdleConnectionWhenAFreshOneIsAskedFor) {
  World world({endpoint("10.0.0.1")});
  world.serve();
  Attempts attempts;
  const Acquired lease = world.acquire(attempts, {.fresh_only = true});
  ASSERT_TRUE(lease);
  EXPECT_FALSE(lease->reused());
}

TEST(Cluster, GoesOnToAnotherPeerWhenOneRefuses) {
  World world({endpoint("10.0.0.1"), endpoint("10.0.0.2")});
  world.connector.refusing = {"10.0.0.1:80"};
  EXPECT_EQ(world.cluster->max_attempts(), 2U);
  Attempts attempts;
  const Acquired first = world.acquire(attempts);
  ASSERT_FALSE(first);
  EXPECT_EQ(first.error().phase, Failure::Phase::connecting);
  EXPECT_EQ(first.error().error.code, ErrorCode::refused);
  EXPECT_EQ(first.error().peer, "10.0.0.1:80");
  EXPECT_TRUE(first.error().disabled_peer);
  const Acquired second = world.acquire(attempts);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->peer_name(), "10.0.0.2:80");
  // Out of service until fail_timeout has passed.
  EXPECT_EQ(world.serve(), "10.0.0.2:80");
  EXPECT_EQ(world.serve(), "10.0.0.2:80");
  EXPECT_EQ(world.counters.get(Counter::upstream_connect_failures), 1U);
}

TEST(Cluster, HasNoPeerLeftWhenAllWereTried) {
  World world({endpoint("10.0.0.1"), endpoint("10.0.0.2")});
  world.connector.refusing = {"10.0.0.1:80", "10.0.0.2:80"};
  Attempts attempts;
  EXPECT_FALSE(world.acquire(attempts));
  EXPECT_FALSE(world.acquire(attempts));
  const Acquired third = world.acquire(attempts);
  ASSERT_FALSE(third);
  EXPECT_EQ(third.error().phase, Failure::Phase::balancing);
  EXPECT_EQ(third.error().error.code, ErrorCode::unavailable);
  EXPECT_EQ(third.error().peer, "backend");
  EXPECT_EQ(world.connector.connected.size(), 2U);
}

TEST(Cluster, TriesAllAgainWhenAllHaveFailed) {
  World world({endpoint("10.0.0.1"), endpoint("10.0.0.2")});
  world.connector.refusing = {"10.0.0.1:80", "10.0.0.2:80"};
  {
    Attempts attempts;
    EXPECT_FALSE(world.acquire(attempts));
    EXPECT_FALSE(world.acquire(attempts));
  }
  world.connector.refusing.clear();
  EXPECT_NE(world.serve(), "-");
}

TEST(Cluster, UsesBackupsOnlyWhenThePrimariesAreOut) {
  World world({endpoint("10.0.0.1"), backup("10.0.0.9")});
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  world.cluster->drain();
  world.connector.refusing = {"10.0.0.1:80"};
  Attempts attempts;
  EXPECT_FALSE(world.acquire(attempts));
  const Acquired second = world.acquire(attempts);
  ASSERT_TRUE(second);
  EXPECT_EQ(second->peer_name(), "10.0.0.9:80");
  EXPECT_EQ(world.serve(), "10.0.0.9:80");
  world.connector.refusing.clear();
  world.pass(11s);
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
}

TEST(Cluster, ReportsItsPeersAndWhatTheyHaveServed) {
  World world({endpoint("10.0.0.1"), backup("10.0.0.9"), endpoint("unknown.example")});
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  world.cluster->drain();
  world.connector.refusing = {"10.0.0.1:80"};
  Attempts attempts;
  EXPECT_FALSE(world.acquire(attempts));
  const ClusterReport report = report_of(*world.cluster, world.loop.now());
  ASSERT_EQ(report.peers.size(), 3U);
  EXPECT_EQ(report.peers[0].address, "10.0.0.1:80");
  EXPECT_EQ(report.peers[0].state, PeerState::failed);
  EXPECT_EQ(report.peers[0].attempts, 3U);
  EXPECT_EQ(report.peers[0].failures, 1U);
  EXPECT_TRUE(report.peers[1].backup);
  EXPECT_EQ(report.peers[1].state, PeerState::up);
  EXPECT_EQ(report.peers[2].state, PeerState::unresolved);
}

TEST(Cluster, NeverTriesAPeerThatIsDown) {
  EndpointSpec down = endpoint("10.0.0.1");
  down.down = true;
  World world({down, endpoint("10.0.0.2")});
  EXPECT_EQ(world.cluster->max_attempts(), 1U);
  EXPECT_EQ(world.serve(), "10.0.0.2:80");
  EXPECT_EQ(world.serve(), "10.0.0.2:80");
  World none({down});
  EXPECT_EQ(none.serve(), "-");
}

TEST(Cluster, LimitsTheConnectionsToAPeer) {
  EndpointSpec limited = endpoint("10.0.0.1");
  limited.max_conns = 1;
  World world({limited});
  Attempts first;
  const Acquired held = world.acquire(first);
  ASSERT_TRUE(held);
  Attempts second;
  EXPECT_EQ(world.acquire(second).error().error.code, ErrorCode::unavailable);
}

TEST(Cluster, GivesUpAConnectAtItsTimeout) {
  World world({endpoint("10.0.0.1"), endpoint("10.0.0.2")});
  world.connector.silent = {"10.0.0.1:80"};
  Attempts attempts;
  std::optional<Acquired> acquired;
  world.scope.spawn(World::run(world.cluster.get(), &attempts, {.connect_timeout = 5s}, &acquired));
  world.pass(4900ms);
  EXPECT_FALSE(acquired);
  world.pass(200ms);
  ASSERT_TRUE(acquired);
  EXPECT_EQ(acquired->error().error.code, ErrorCode::timed_out);
  EXPECT_EQ(world.counters.get(Counter::upstream_timeouts), 1U);
  EXPECT_EQ(world.serve(), "10.0.0.2:80");
}

TEST(Cluster, DoesNotBlameThePeerForACancelledAttempt) {
  World world({endpoint("10.0.0.1"), endpoint("10.0.0.2")});
  world.connector.silent = {"10.0.0.1:80"};
  Attempts attempts;
  std::optional<Acquired> acquired;
  world.scope.spawn(World::run(world.cluster.get(), &attempts, {}, &acquired));
  world.scope.request_stop();
  world.loop.run_until_idle();
  ASSERT_TRUE(acquired);
  EXPECT_EQ(acquired->error().error.code, ErrorCode::cancelled);
  EXPECT_FALSE(acquired->error().disabled_peer);
  EXPECT_EQ(world.cluster->primaries().peers.at(0)->fails, 0U);
  EXPECT_EQ(world.counters.get(Counter::upstream_failures), 0U);
}

TEST(Cluster, SaysWhichCheckOfTheHandshakeFailed) {
  World world({endpoint("10.0.0.1"), endpoint("10.0.0.2")});
  world.connector.untrusted = true;
  const TlsTarget tls{.server_name = "app.example", .verify_name = "app.example"};
  Attempts attempts;
  const Acquired lease = world.acquire(attempts, {.tls = &tls});
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().phase, Failure::Phase::handshaking);
  EXPECT_EQ(lease.error().peer, "10.0.0.1:80");
  EXPECT_EQ(lease.error().sentence, "certificate has expired");
  EXPECT_EQ(lease.error().directive, "proxy_ssl_verify");
  EXPECT_THAT(world.connector.handshakes, ElementsAre("10.0.0.1:80 app.example"));
  EXPECT_EQ(world.counters.get(Counter::upstream_untrusted), 1U);
  EXPECT_EQ(world.counters.get(Counter::upstream_revoked), 1U);
  EXPECT_EQ(world.counters.get(Counter::upstream_handshakes_failed), 1U);
}

TEST(Cluster, SharesConnectionsBetweenLocationsUnlessTheyAreLocal) {
  for (const bool local : {false, true}) {
    World world({endpoint("10.0.0.1")}, {.local = local});
    {
      Attempts attempts;
      Acquired lease = world.acquire(attempts, {.locality = 1});
      lease->release_for_reuse();
    }
    Attempts attempts;
    EXPECT_EQ(world.acquire(attempts, {.locality = 2})->reused(), !local);
  }
}

TEST(Cluster, MakesAPeerOfEachAddressOfAName) {
  World world({endpoint("app.example:8080")});
  world.resolver.table["app.example"] = {"10.0.0.1", "10.0.0.2"};
  EXPECT_EQ(world.serve(), "10.0.0.1:8080");
  EXPECT_EQ(world.serve(), "10.0.0.2:8080");
  EXPECT_EQ(world.serve(), "10.0.0.1:8080");
  EXPECT_EQ(world.resolver.questions, 1);
}

TEST(Cluster, FollowsANameWhoseAddressesChange) {
  World world({endpoint("app.example")});
  world.resolver.table["app.example"] = {"10.0.0.1", "10.0.0.2"};
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  Attempts attempts;
  Acquired held = world.acquire(attempts);
  ASSERT_TRUE(held);
  EXPECT_EQ(held->peer_name(), "10.0.0.2:80");
  const std::uint32_t kept = world.cluster->primaries().peers.at(0)->id;
  world.resolver.table["app.example"] = {"10.0.0.3", "10.0.0.1"};
  world.pass(31s);
  EXPECT_EQ(world.serve(), "10.0.0.3:80");
  const auto& peers = world.cluster->primaries().peers;
  ASSERT_EQ(peers.size(), 2U);
  EXPECT_EQ(peers.at(1)->id, kept);
  // The retired peer's connection serves to its end and is not kept.
  EXPECT_EQ(held->peer_name(), "10.0.0.2:80");
  const std::size_t idle = world.cluster->idle_connections();
  held->release_for_reuse();
  EXPECT_EQ(world.cluster->idle_connections(), idle);
}

TEST(Cluster, KeepsItsAddressesWhenTheNameIsNoLongerKnown) {
  World world({endpoint("app.example")});
  world.resolver.table["app.example"] = {"10.0.0.1"};
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  world.resolver.table.clear();
  world.pass(31s);
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
}

TEST(Cluster, SaysThatANameWasNotFound) {
  World world({endpoint("app.example")});
  Attempts attempts;
  const Acquired lease = world.acquire(attempts);
  ASSERT_FALSE(lease);
  EXPECT_EQ(lease.error().phase, Failure::Phase::resolving);
  EXPECT_EQ(lease.error().error.code, ErrorCode::not_found);
}

TEST(Cluster, DoesNotWaitForANameWhileOtherPeersAreKnown) {
  World world({endpoint("app.example"), endpoint("10.0.0.7")});
  EXPECT_EQ(world.serve(), "10.0.0.7:80");
  world.resolver.table["app.example"] = {"10.0.0.1"};
  world.pass(150ms);
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
}

// Services.

EndpointSpec service(std::string_view host) {
  EndpointSpec spec = endpoint(host);
  spec.service = service_name("http", host);
  spec.resolve = true;
  return spec;
}
io::ServiceAddress offered(std::string_view address, std::uint16_t weight, bool is_first = true,
                           std::string target = "a") {
  return {.address = *base::Address::from_ip_and_port(address),
          .target = std::move(target),
          .weight = weight,
          .is_first = is_first};
}

TEST(Cluster, TakesPeersWeightsAndBackupsFromAService) {
  EndpointSpec spec = service("app.example");
  spec.weight = 2;
  World world({spec});
  world.resolver.services["_http._tcp.app.example"] = {
      offered("10.0.0.1:81", 3), offered("10.0.0.2:82", 0), offered("10.0.0.3:83", 9, false)};
  EXPECT_EQ(world.serve(), "10.0.0.1:81");
  const auto& primaries = world.cluster->primaries().peers;
  ASSERT_EQ(primaries.size(), 2U);
  EXPECT_EQ(primaries.at(0)->weight, 6);
  EXPECT_EQ(primaries.at(1)->weight, 2);
  ASSERT_EQ(world.cluster->backups().peers.size(), 1U);
  EXPECT_EQ(world.cluster->backups().peers.at(0)->name, "10.0.0.3:83");
  const ClusterReport report = report_of(*world.cluster, world.loop.now());
  ASSERT_EQ(report.peers.size(), 3U);
  EXPECT_TRUE(report.peers.at(2).backup);
  EXPECT_EQ(report.peers.at(2).weight, 18U);

  // One becomes a backup and keeps its state; its failures and connections are the same peer's.
  const std::uint32_t kept = primaries.at(0)->id;
  world.resolver.services["_http._tcp.app.example"] = {offered("10.0.0.2:82", 5),
                                                       offered("10.0.0.1:81", 4, false)};
  world.pass(31s);
  EXPECT_EQ(world.serve(), "10.0.0.2:82");
  EXPECT_EQ(world.cluster->primaries().peers.at(0)->weight, 10);
  ASSERT_EQ(world.cluster->backups().peers.size(), 1U);
  EXPECT_EQ(world.cluster->backups().peers.at(0)->id, kept);
  EXPECT_EQ(world.cluster->backups().peers.at(0)->weight, 8);
}

TEST(Cluster, ABackupServiceHasItsBestHostsAlone) {
  EndpointSpec spec = service("app.example");
  spec.backup = true;
  World world({endpoint("10.0.0.9"), spec});
  world.resolver.services["_http._tcp.app.example"] = {offered("10.0.0.1:81", 1),
                                                       offered("10.0.0.2:82", 1, false)};
  EXPECT_EQ(world.serve(), "10.0.0.9:80");
  ASSERT_EQ(world.cluster->backups().peers.size(), 1U);
  EXPECT_EQ(world.cluster->backups().peers.at(0)->name, "10.0.0.1:81");
}

TEST(Cluster, DoesNotRaceDifferentHostsOfAService) {
  World world({service("app.example")});
  world.resolver.services["_http._tcp.app.example"] = {offered("[2001:db8::1]:80", 1, true, "a"),
                                                       offered("10.0.0.2:80", 1, true, "b")};
  world.connector.silent = {"[2001:db8::1]:80"};
  Attempts attempts;
  std::optional<Acquired> acquired;
  world.scope.spawn(World::run(world.cluster.get(), &attempts, {}, &acquired));
  world.pass(1s);
  EXPECT_THAT(world.connector.connected, ElementsAre("[2001:db8::1]:80"));
  world.scope.request_stop();
  world.loop.run_until_idle();
  EXPECT_TRUE(acquired);
}

TEST(ClusterCache, MakesOneClusterForEachEndpointAndDropsTheOldest) {
  World world({endpoint("10.0.0.1")});
  ClusterCache cache(world.surroundings(), 2);
  const KeepAlive keep_alive;
  const auto a = cache.find_or_make("10.0.0.1", 80, keep_alive);
  ASSERT_TRUE(a);
  EXPECT_EQ(cache.find_or_make("10.0.0.1", 80, keep_alive), a);
  EXPECT_NE(cache.find_or_make("10.0.0.1", 443, keep_alive), a);
  EXPECT_EQ((*a)->primaries().peers.at(0)->name, "10.0.0.1:80");
  ASSERT_TRUE(cache.find_or_make("10.0.0.3", 80, keep_alive));
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_NE(cache.find_or_make("10.0.0.1", 80, keep_alive), a);
  EXPECT_EQ(cache.find_or_make("x:0", 80, keep_alive).error(), "invalid port");
}

/// A name with an address of each family: the IPv6 one is chosen first.
struct DualWorld : World {
  DualWorld() : World({endpoint("app.example")}) {
    resolver.table["app.example"] = {"2001:db8::1", "10.0.0.1"};
  }
  static constexpr std::string_view kSix = "[2001:db8::1]:80";
  static constexpr std::string_view kFour = "10.0.0.1:80";
};

TEST(ClusterRace, GoesByTurnsToBothFamiliesWhileBothAnswer) {
  DualWorld world;
  EXPECT_EQ(world.serve(), DualWorld::kSix);
  EXPECT_EQ(world.serve(), DualWorld::kFour);
  EXPECT_EQ(world.serve(), DualWorld::kSix);
  EXPECT_EQ(world.counters.get(Counter::upstream_family_changes), 0U);
}

TEST(ClusterRace, UsesTheOtherFamilyWhenOneDoesNotAnswer) {
  DualWorld world;
  world.connector.silent = {std::string(DualWorld::kSix)};
  Attempts attempts;
  std::optional<Acquired> acquired;
  world.scope.spawn(World::run(world.cluster.get(), &attempts, {}, &acquired));
  world.pass(200ms);
  EXPECT_FALSE(acquired);
  EXPECT_THAT(world.connector.connected, ElementsAre(DualWorld::kSix));
  world.pass(60ms);
  ASSERT_TRUE(acquired && *acquired);
  EXPECT_EQ((*acquired)->peer_name(), DualWorld::kFour);
  EXPECT_EQ(attempts.count(), 2U);
  EXPECT_EQ(world.cluster->in_use(), 1U);
  EXPECT_EQ(world.counters.get(Counter::upstream_family_changes), 1U);
  EXPECT_EQ(world.counters.get(Counter::upstream_failures), 1U);
  (*acquired)->close();
  // The family that led nowhere is left out for its fail_timeout.
  EXPECT_EQ(world.serve(), DualWorld::kFour);
  EXPECT_EQ(world.serve(), DualWorld::kFour);
}

TEST(ClusterRace, LeavesARefusalToTheCallerWhoTriesTheOtherNext) {
  DualWorld world;
  world.connector.refusing = {std::string(DualWorld::kSix)};
  Attempts attempts;
  const Acquired refused = world.acquire(attempts);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().peer, DualWorld::kSix);
  const Acquired lease = world.acquire(attempts);
  ASSERT_TRUE(lease);
  EXPECT_EQ(lease->peer_name(), DualWorld::kFour);
}

TEST(ClusterRace, TellsBothFailures) {
  DualWorld world;
  world.connector.silent = {std::string(DualWorld::kSix)};
  world.connector.refusing = {std::string(DualWorld::kFour)};
  Attempts attempts;
  std::optional<Acquired> acquired;
  world.scope.spawn(World::run(world.cluster.get(), &attempts, {.connect_timeout = 1s}, &acquired));
  world.pass(300ms);
  EXPECT_FALSE(acquired);  // the first one's time is not over
  world.pass(800ms);
  ASSERT_TRUE(acquired && !*acquired);
  EXPECT_EQ(acquired->error().peer, DualWorld::kSix);
  EXPECT_EQ(acquired->error().error.code, ErrorCode::timed_out);
  EXPECT_NE(acquired->error().sentence.find("10.0.0.1:80"), std::string::npos);
  EXPECT_EQ(attempts.count(), 2U);
  EXPECT_EQ(world.cluster->in_use(), 0U);
}

TEST(ClusterRace, EndsBothWhenTheRequestIsCancelled) {
  DualWorld world;
  world.connector.silent = {std::string(DualWorld::kSix), std::string(DualWorld::kFour)};
  Attempts attempts;
  std::optional<Acquired> acquired;
  world.scope.spawn(World::run(world.cluster.get(), &attempts, {}, &acquired));
  world.pass(300ms);
  EXPECT_EQ(world.connector.connected.size(), 2U);
  world.scope.request_stop();
  world.loop.run_until_idle();
  ASSERT_TRUE(acquired && !*acquired);
  EXPECT_EQ(acquired->error().error.code, ErrorCode::cancelled);
  EXPECT_EQ(world.cluster->in_use(), 0U);
  EXPECT_EQ(world.counters.get(Counter::upstream_failures), 0U);
}

TEST(Cluster, WaitsForTheNewsAfterATimeWithoutRequests) {
  World world({endpoint("app.example")});
  world.resolver.table["app.example"] = {"10.0.0.1"};
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  world.pass(10min);
  world.resolver.overdue = 9min;
  world.resolver.table["app.example"] = {"10.0.0.2"};
  EXPECT_EQ(world.serve(), "10.0.0.2:80");
}

TEST(Cluster, WaitsForNoNewsWhileRequestsCome) {
  World world({endpoint("app.example")});
  world.resolver.table["app.example"] = {"10.0.0.1"};
  world.resolver.overdue = 500ms;
  EXPECT_EQ(world.serve(), "10.0.0.1:80");
  for (int i = 0; i < 62; ++i) {
    world.pass(500ms);
    world.resolver.overdue += 500ms;
    world.serve();
  }
  EXPECT_EQ(world.serve(), "10.0.0.99:80");
}

TEST(Cluster, AsksTheConfiguredServersForNamesThatSayResolve) {
  World world({endpoint("10.0.0.1")});
  auto spec = std::make_shared<ClusterSpec>();
  spec->endpoints = {endpoint("one.example"), endpoint("two.example")};
  spec->endpoints.back().resolve = true;
  spec->lookup.dns.valid = 7s;
  const Cluster cluster(std::move(spec), world.surroundings());
  ASSERT_EQ(world.resolvers.asked.size(), 2U);
  EXPECT_TRUE(world.resolvers.asked.front() == io::DnsOptions{});
  EXPECT_EQ(world.resolvers.asked.back().valid, 7s);
}

TEST(ClusterCache, KeepsClustersOfDifferentResolversApart) {
  World world({endpoint("10.0.0.1")});
  ClusterCache cache(world.surroundings());
  const NameLookup one{.dns = {.valid = 1s}};
  const NameLookup two{.dns = {.valid = 2s}};
  const NameLookup one_again = one;
  const auto first = cache.find_or_make("app.example", 80, {}, one);
  EXPECT_EQ(*first, *cache.find_or_make("app.example", 80, {}, one_again));
  EXPECT_NE(*first, *cache.find_or_make("app.example", 80, {}, two));
}

}  // namespace
}  // namespace upstream
