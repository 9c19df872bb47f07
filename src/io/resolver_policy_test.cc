// What the resolver makes of answers, failures and silence. The channel is the test's, and time.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdio>
#include <fstream>
#include <map>
#include <optional>
#include <set>

#include "async/scope.h"
#include "io/resolver.h"
#include "io/testing/fake_clock.h"

namespace io {
namespace {

using namespace std::chrono_literals;
using base::ErrorCode;
using observe::Counter;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = DnsAnswer::Kind;

/// Answers at once from a table ("4 a.example"); what is in `held` waits for answer_held().
class TableChannel final : public DnsChannel {
 public:
  std::map<std::string, DnsAnswer> table;
  std::set<std::string> held;
  std::vector<std::string> asked;
  std::vector<base::Address> servers;
  Search list;

  void ask(std::string name, int family, Question& question) override {
    const std::string key = (family == AF_INET6 ? "6 " : "4 ") + name;
    asked.push_back(key);
    if (held.contains(key)) {
      waiting_[key] = &question;
    } else {
      question.on_answer(answer(key));
    }
  }
  void ask_service(std::string name, Question& question) override {
    const std::string key = "SRV " + name;
    asked.push_back(key);
    question.on_answer(answer(key));
  }
  void answer_held(const std::string& key) { waiting_.at(key)->on_answer(answer(key)); }
  const Search& search() override { return list; }
  void set_servers(std::vector<base::Address> given) override { servers = std::move(given); }

 private:
  DnsAnswer answer(const std::string& key) {
    const auto found = table.find(key);
    if (found != table.end()) return found->second;
    return {.kind = Kind::empty,
            .error = {.code = ErrorCode::not_found, .context = "the host has no address"}};
  }
  std::map<std::string, Question*> waiting_;
};

DnsAnswer answer(std::vector<std::string> ips, std::chrono::seconds ttl = 60s) {
  DnsAnswer made{.kind = Kind::records, .ttl = ttl};
  for (const std::string& ip : ips) made.addresses.push_back(*base::Address::from_ip(ip, 0));
  return made;
}
DnsAnswer failure() {
  return {.error = {.code = ErrorCode::timed_out, .context = "name servers timed out"}};
}
DnsAnswer no_such_name() {
  return {.kind = Kind::no_such_name,
          .error = {.code = ErrorCode::not_found, .context = "host not found"}};
}

struct World {
  io::testing::FakeClock clock;
  EventLoop loop{clock};
  async::Executor::Use use{loop.executor()};
  async::Scope scope;
  observe::CounterLayout layout;
  observe::Counters counters{layout};
  std::vector<std::string> said;
  TableChannel* channel = nullptr;
  std::unique_ptr<DnsResolver> resolver;

  explicit World(
      DnsOptions options = {.servers = {*base::Address::from_ip("127.0.0.1", 53)}},
      std::shared_ptr<Resolver> system = nullptr, std::string hosts = "/nonexistent",
      std::optional<base::Address> (*source_for)(const base::Address&) noexcept =
          [](const base::Address& to) noexcept { return std::optional(to); }) {
    DnsSurroundings around;
    around.counters = &counters;
    around.say = [this](observe::Level, std::string_view words) { said.emplace_back(words); };
    around.system = std::move(system);
    around.hosts_file = std::move(hosts);
    auto made = std::make_unique<TableChannel>();
    channel = made.get();
    around.channel = std::move(made);
    around.source_for = source_for;
    resolver = std::make_unique<DnsResolver>(loop, std::move(options), std::move(around));
  }
  ~World() {
    scope.request_stop();
    loop.run_until_idle();
  }
  void pass(base::Duration time) {
    clock.advance(time);
    loop.run_until_idle();
  }
  static async::Task<void> ask(Resolver* resolver, std::string name,
                               std::optional<base::Result<Resolution>>* into) {
    into->emplace(co_await resolver->resolve(std::move(name), 80, base::kNoDeadline));
  }
  /// The addresses without their port; "-" for an error, "..." while there is no answer.
  std::vector<std::string> resolve(const std::string& name) {
    last.reset();
    scope.spawn(ask(resolver.get(), name, &last));
    loop.run_until_idle();
    return texts();
  }
  std::vector<std::string> texts() const {
    if (!last) return {"..."};
    if (!*last) return {"-"};
    std::vector<std::string> all;
    for (const auto& address : (*last)->addresses) all.push_back(address.ip_text());
    return all;
  }
  std::uint64_t count(Counter counter) const { return counters.get(counter); }
  std::optional<base::Result<Resolution>> last;
};

TEST(ResolverPolicy, LetsTheFamiliesTakeTurnsWithIpv6First) {
  World world;
  world.channel->table["4 a"] = answer({"10.0.0.1", "10.0.0.2", "10.0.0.3"});
  world.channel->table["6 a"] = answer({"2001:db8::1"});
  EXPECT_THAT(world.resolve("a"), ElementsAre("2001:db8::1", "10.0.0.1", "10.0.0.2", "10.0.0.3"));
}

TEST(ResolverPolicy, AsksForNoFamilyThatIsOff) {
  World world({.servers = {*base::Address::from_ip("127.0.0.1", 53)}, .ipv6 = false});
  world.channel->table["4 a"] = answer({"10.0.0.1"});
  world.channel->table["6 a"] = answer({"2001:db8::1"});
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.1"));
  EXPECT_THAT(world.channel->asked, ElementsAre("4 a"));
}

TEST(ResolverPolicy, TakesTheTimeOfValidInsteadOfTheTtl) {
  World world({.servers = {*base::Address::from_ip("127.0.0.1", 53)}, .valid = 5s});
  world.channel->table["4 a"] = answer({"10.0.0.1"}, 600s);
  world.resolve("a");
  EXPECT_EQ((*world.last)->ttl, 5s);
  world.channel->table["4 a"] = answer({"10.0.0.2"}, 600s);
  world.pass(5s);
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.2"));
}

TEST(ResolverPolicy, BoundsAbsurdTtls) {
  World world;
  world.channel->table["4 a"] = answer({"10.0.0.1"}, std::chrono::seconds(0x7fffffff));
  world.channel->table["4 b"] = answer({"10.0.0.1"}, 0s);
  world.resolve("a");
  EXPECT_EQ((*world.last)->ttl, DnsResolver::kMaxTtl);
  world.resolve("b");
  EXPECT_EQ((*world.last)->ttl, DnsResolver::kMinTtl);
}

TEST(ResolverPolicy, GivesOneFamilyToWhoeverWaitsWhenTheOtherIsSlow) {
  World world;
  world.channel->table["4 a"] = answer({"10.0.0.1"});
  world.channel->table["6 a"] = answer({"2001:db8::1"});
  world.channel->held = {"6 a"};
  EXPECT_THAT(world.resolve("a"), ElementsAre("..."));
  world.pass(DnsResolver::kOtherFamilyDelay + 10ms);
  EXPECT_THAT(world.texts(), ElementsAre("10.0.0.1"));
  EXPECT_TRUE((*world.last)->stale);
  world.channel->answer_held("6 a");
  EXPECT_THAT(world.resolve("a"), ElementsAre("2001:db8::1", "10.0.0.1"));
}

TEST(ResolverPolicy, KeepsTheAddressesOfAFamilyThatFails) {
  World world;
  world.channel->table["4 a"] = answer({"10.0.0.1"});
  world.channel->table["6 a"] = answer({"2001:db8::1"});
  world.resolve("a");
  world.channel->table["4 a"] = answer({"10.0.0.2"}, 3600s);
  world.channel->table["6 a"] = failure();
  world.pass(60s);
  EXPECT_THAT(world.resolve("a"), ElementsAre("2001:db8::1", "10.0.0.2"));
  EXPECT_EQ((*world.last)->ttl, DnsResolver::kPartialTtl);
  world.channel->table["6 a"] = {.kind = Kind::empty};
  world.pass(30s);
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.2"));
}

TEST(ResolverPolicy, KeepsOldAddressesWhileServersFailAndTellsItOnce) {
  World world;
  world.channel->table["4 a"] = answer({"10.0.0.1"});
  world.resolve("a");
  world.channel->table["4 a"] = failure();
  world.pass(60s);
  for (int i = 0; i < 10; ++i) {
    EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.1"));
    EXPECT_TRUE((*world.last)->failing);
    world.pass(5s);
  }
  EXPECT_THAT(world.said, ElementsAre(HasSubstr("its old addresses stay in use")));
  EXPECT_EQ(world.count(Counter::dns_stale), 10U);
  EXPECT_EQ(world.count(Counter::dns_timeouts), 10U);
  world.channel->table["4 a"] = answer({"10.0.0.2"});
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.2"));
  EXPECT_THAT(world.said.back(), HasSubstr("resolved again"));
  world.channel->table["4 a"] = failure();
  world.pass(25h);
  EXPECT_THAT(world.resolve("a"), ElementsAre("-"));
}

TEST(ResolverPolicy, WaitsLongerAfterEachFailureWithinABound) {
  World world;
  world.channel->table["4 a"] = failure();
  std::vector<int> pauses;
  world.resolve("a");
  for (int i = 0; i < 5; ++i) {
    const std::size_t before = world.channel->asked.size();
    int seconds = 0;
    while (world.channel->asked.size() == before) {
      world.pass(1s);
      ++seconds;
      EXPECT_THAT(world.resolve("a"), ElementsAre("-"));
    }
    pauses.push_back(seconds);
  }
  EXPECT_THAT(pauses, ElementsAre(1, 2, 4, 5, 5));
}

TEST(ResolverPolicy, BelievesAnEmptyAnswerOnlyAfterAWhile) {
  for (const DnsAnswer& gone : {DnsAnswer{.kind = Kind::empty}, no_such_name()}) {
    World world;
    world.channel->table["4 a"] = answer({"10.0.0.1"});
    world.resolve("a");
    world.channel->table["4 a"] = gone;
    world.pass(60s);
    EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.1"));
    EXPECT_THAT(world.said, ElementsAre(HasSubstr("has lost its addresses")));
    EXPECT_EQ(world.count(Counter::dns_gone), 1U);
    world.pass(DnsResolver::kGoneGrace - 1s);
    EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.1"));
    world.pass(5s);
    EXPECT_THAT(world.resolve("a"), ElementsAre("-"));
    EXPECT_EQ(world.said.size(), 2U);
    EXPECT_THAT(world.said.back(), HasSubstr("given up"));
  }
}

TEST(ResolverPolicy, TakesAnAnswerBackWithinTheGrace) {
  World world;
  world.channel->table["4 a"] = answer({"10.0.0.1"});
  world.resolve("a");
  world.channel->table["4 a"] = no_such_name();
  world.pass(60s);
  world.resolve("a");
  world.channel->table["4 a"] = answer({"10.0.0.2"}, 20s);
  world.pass(1s);
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.2"));
  world.channel->table["4 a"] = no_such_name();
  world.pass(20s);
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.2"));  // a grace of its own
}

TEST(ResolverPolicy, BoundsAddressesAndCountsTheRest) {
  World world({.servers = {*base::Address::from_ip("127.0.0.1", 53)}, .max_addresses = 2});
  world.channel->table["4 a"] = answer({"10.0.0.1", "10.0.0.1", "10.0.0.2", "10.0.0.3"});
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_EQ(world.count(Counter::limit_dns_addresses), 1U);
}

TEST(ResolverPolicy, FollowsTheSearchListFamilyByFamilyTogether) {
  World world(DnsOptions{});
  world.channel->list = {.domains = {"one.example", "two.example"}, .ndots = 1};
  world.channel->table["4 app.two.example"] = answer({"10.0.0.2"});
  world.channel->table["6 app"] = answer({"2001:db8::1"});
  EXPECT_THAT(world.resolve("app"), ElementsAre("10.0.0.2"));
  EXPECT_THAT(world.channel->asked, ElementsAre("6 app.one.example", "4 app.one.example",
                                                "6 app.two.example", "4 app.two.example"));
  world.channel->asked.clear();
  world.resolve("a.b");
  EXPECT_EQ(world.channel->asked.front(), "6 a.b");
  world.channel->asked.clear();
  world.resolve("app.");
  EXPECT_THAT(world.channel->asked, ElementsAre("6 app.", "4 app."));
}

TEST(ResolverPolicy, DoesNotSearchOnAfterAFailure) {
  World world(DnsOptions{});
  world.channel->list = {.domains = {"one.example"}, .ndots = 1};
  world.channel->table["4 app.one.example"] = failure();
  world.channel->table["4 app"] = answer({"10.0.0.2"});
  EXPECT_THAT(world.resolve("app"), ElementsAre("-"));
}

TEST(ResolverPolicy, UsesNoSearchListAndNoHostsFileWithServersOfItsOwn) {
  const std::string path = ::testing::TempDir() + "hosts_own_servers";
  std::ofstream(path) << "10.0.0.9 app\n";
  World world({.servers = {*base::Address::from_ip("127.0.0.1", 53)}}, nullptr, path);
  world.channel->list = {.domains = {"one.example"}, .ndots = 1};
  world.resolve("app");
  EXPECT_THAT(world.channel->asked, ElementsAre("6 app", "4 app"));
  std::remove(path.c_str());
}

TEST(ResolverPolicy, NoticesAChangeOfTheHostsFile) {
  const std::string path = ::testing::TempDir() + "hosts_changed";
  std::ofstream(path) << "10.0.0.9 app\n";
  World world(DnsOptions{}, nullptr, path);
  EXPECT_THAT(world.resolve("app"), ElementsAre("10.0.0.9"));
  std::ofstream(path) << "10.0.0.10 other app\n";
  world.pass(1s);
  EXPECT_THAT(world.resolve("app"), ElementsAre("10.0.0.10"));
  EXPECT_THAT(world.channel->asked, IsEmpty());
  std::remove(path.c_str());
}

TEST(ResolverPolicy, LeavesOutWhatHasNoRouteWhereSomethingElseHas) {
  World world({.servers = {*base::Address::from_ip("127.0.0.1", 53)}}, nullptr, "/nonexistent",
              [](const base::Address& to) noexcept {
                return to.family() == AF_INET6 ? std::nullopt : std::optional(to);
              });
  world.channel->table["4 a"] = answer({"10.0.0.1", "10.0.0.2"});
  world.channel->table["6 a"] = answer({"2001:db8::1"});
  world.channel->table["6 b"] = answer({"2001:db8::1", "2001:db8::2"});
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.1", "10.0.0.2"));
  EXPECT_THAT(world.resolve("b"), ElementsAre("2001:db8::1", "2001:db8::2"));
}

TEST(ResolverPolicy, BeginsWithTheFamilyOfTheBestDestination) {
  World world;
  world.channel->table["4 a"] = answer({"10.0.0.1", "10.0.0.2"});
  world.channel->table["6 a"] = answer({"fd00::1"});  // RFC 6724: below IPv4
  EXPECT_THAT(world.resolve("a"), ElementsAre("10.0.0.1", "fd00::1", "10.0.0.2"));
}

// Services.

DnsAnswer services(std::vector<ServiceRecord> records, std::chrono::seconds ttl = 60s) {
  return {.kind = Kind::records, .services = std::move(records), .ttl = ttl};
}

struct ServiceWorld : World {
  using World::World;
  static async::Task<void> ask_service(Resolver* resolver, std::string name,
                                       std::optional<base::Result<ServiceResolution>>* into) {
    into->emplace(co_await resolver->resolve_service(std::move(name), base::kNoDeadline));
  }
  /// "10.0.0.1:80 a 5", with a "+" behind those that are not first; as resolve() else.
  std::vector<std::string> service(const std::string& name) {
    answer.reset();
    scope.spawn(ask_service(resolver.get(), name, &answer));
    loop.run_until_idle();
    if (!answer) return {"..."};
    if (!*answer) return {"-"};
    std::vector<std::string> all;
    for (const ServiceAddress& each : (*answer)->addresses) {
      all.push_back(each.address.text() + " " + each.target + " " + std::to_string(each.weight) +
                    (each.is_first ? "" : "+"));
    }
    return all;
  }
  std::optional<base::Result<ServiceResolution>> answer;
};

TEST(ResolverPolicy, LooksUpAServiceAndItsHosts) {
  ServiceWorld world;
  world.channel->table["SRV _http._tcp.app"] =
      services({{"b", 81, 20, 7}, {"a", 80, 10, 5}, {"gone", 80, 10, 5}, {"a", 80, 30, 9}}, 30s);
  world.channel->table["4 a"] = answer({"10.0.0.1", "10.0.0.2"});
  world.channel->table["4 b"] = answer({"10.0.0.3"});
  EXPECT_THAT(world.service("_HTTP._tcp.App"),
              ElementsAre("10.0.0.1:80 a 5", "10.0.0.2:80 a 5", "10.0.0.3:81 b 7+"));
  EXPECT_TRUE((*world.answer)->stale);  // "gone" may still be found
  world.channel->table["4 gone"] = answer({"10.0.0.4"});
  world.pass(1s);
  world.service("_http._tcp.app");
  EXPECT_EQ(world.service("_http._tcp.app").size(), 4U);
  EXPECT_FALSE((*world.answer)->stale);
  EXPECT_EQ((*world.answer)->ttl, 29s);
}

TEST(ResolverPolicy, WaitsForAHostOfAService) {
  ServiceWorld world;
  world.channel->table["SRV s"] = services({{"a", 80, 1, 1}});
  world.channel->table["4 a"] = answer({"10.0.0.1"});
  world.channel->held = {"4 a"};
  EXPECT_THAT(world.service("s"), ElementsAre("..."));
  EXPECT_FALSE(world.resolver->known_service("s"));
  world.channel->answer_held("4 a");
  world.loop.run_until_idle();
  ASSERT_TRUE(world.answer && *world.answer);
  EXPECT_EQ((*world.answer)->addresses.size(), 1U);
}

TEST(ResolverPolicy, KeepsAServiceWhileDnsIsAtFault) {
  ServiceWorld world;
  world.channel->table["SRV s"] = services({{"a", 80, 1, 1}}, 5s);
  world.channel->table["4 a"] = answer({"10.0.0.1"});
  EXPECT_THAT(world.service("s"), ElementsAre("10.0.0.1:80 a 1"));
  world.channel->table["SRV s"] = failure();
  world.pass(6s);
  EXPECT_THAT(world.service("s"), ElementsAre("10.0.0.1:80 a 1"));
  EXPECT_EQ(world.count(Counter::dns_stale), 1U);
  world.channel->table.erase("SRV s");
  world.pass(6s);
  EXPECT_THAT(world.service("s"), ElementsAre("10.0.0.1:80 a 1"));
  EXPECT_EQ(world.count(Counter::dns_gone), 1U);
  world.pass(DnsResolver::kGoneGrace);
  EXPECT_THAT(world.service("s"), ElementsAre("-"));
}

TEST(ResolverPolicy, BoundsAServiceAndKeepsItsBestRecords) {
  ServiceWorld world({.servers = {*base::Address::from_ip("127.0.0.1", 53)}, .max_addresses = 3});
  world.channel->table["SRV s"] = services(
      {{"d", 80, 4, 1}, {"c", 80, 3, 1}, {"b", 80, 2, 1}, {"a", 80, 1, 1}, {"e", 80, 5, 1}});
  for (const char* host : {"a", "b", "c", "d", "e"}) {
    const std::string prefix = std::string("10.0.") + std::to_string(host[0] - 'a') + ".";
    world.channel->table[std::string("4 ") + host] = answer({prefix + "1", prefix + "2"});
  }
  EXPECT_THAT(world.service("s"),
              ElementsAre("10.0.0.1:80 a 1", "10.0.0.2:80 a 1", "10.0.1.1:80 b 1+"));
  EXPECT_GE(world.count(Counter::limit_dns_addresses), 2U);
  EXPECT_THAT(world.channel->asked, ::testing::Not(::testing::Contains("4 d")));
}

TEST(ResolverPolicy, SaysThatAServiceIsUnknown) {
  ServiceWorld world;
  EXPECT_THAT(world.service("s"), ElementsAre("-"));
  EXPECT_THAT(world.service("a b"), ElementsAre("-"));
  world.channel->table["SRV t"] = services({{"a", 80, 1, 1}});  // whose host has no address
  EXPECT_THAT(world.service("t"), ElementsAre("-"));
}

TEST(ResolverPolicy, NeverAsksAServerForLocalhost) {
  World world;
  EXPECT_THAT(world.resolve("localhost"), ElementsAre("::1", "127.0.0.1"));
  EXPECT_THAT(world.resolve("app.localhost."), ElementsAre("::1", "127.0.0.1"));
  EXPECT_THAT(world.channel->asked, IsEmpty());
}

/// Knows one name, once it is told.
class OneName final : public Resolver {
 public:
  std::optional<std::string> ip;
  async::Task<base::Result<Resolution>> resolve(std::string, std::uint16_t,
                                                base::Deadline) override {
    co_return base::fail(ErrorCode::not_found);
  }
  std::optional<Resolution> known(std::string_view, std::uint16_t port) override {
    if (!ip) return std::nullopt;
    return Resolution{.addresses = {*base::Address::from_ip(*ip, port)}, .ttl = 1s};
  }
  async::Task<base::Result<ServiceResolution>> resolve_service(std::string,
                                                               base::Deadline) override {
    co_return base::fail(ErrorCode::not_found);
  }
  std::optional<ServiceResolution> known_service(std::string_view) override { return {}; }
};

TEST(ResolverPolicy, WaitsForTheAddressOfANamedServerAndFollowsIt) {
  auto system = std::make_shared<OneName>();
  World world({.named_servers = {{.host = "dns.example", .port = 5353}}}, system);
  world.channel->table["4 a"] = answer({"10.0.0.1"}, 1s);
  EXPECT_THAT(world.resolve("a"), ElementsAre("..."));
  system->ip = "10.0.0.53";
  world.pass(100ms);
  EXPECT_THAT(world.texts(), ElementsAre("10.0.0.1"));
  EXPECT_EQ(world.channel->servers.at(0).text(), "10.0.0.53:5353");
  system->ip = "10.0.0.54";
  world.pass(1s);
  world.resolve("a");
  EXPECT_EQ(world.channel->servers.at(0).text(), "10.0.0.54:5353");
}

TEST(ResolverPolicy, GivesUpOnANamedServerThatIsNotFound) {
  World world({.named_servers = {{.host = "dns.example"}}}, std::make_shared<OneName>());
  EXPECT_THAT(world.resolve("a"), ElementsAre("..."));
  for (int i = 0; i < 60; ++i) world.pass(100ms);
  EXPECT_THAT(world.texts(), ElementsAre("-"));
  EXPECT_THAT(world.channel->asked, IsEmpty());
}

}  // namespace
}  // namespace io
