#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "config/testing/loaded.h"
#include "guard/limit_conn.h"
#include "guard/limit_directives.h"
#include "guard/limit_req.h"
#include "guard/zones.h"

namespace guard {
namespace {

using exchange::LimitStatus;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = LimitVerdict::Kind;
using std::chrono::milliseconds;

class Limits : public ::testing::Test, protected config::testing::Loaded {
 protected:
  Limits() : Loaded(kFeature) {}
  void load(const std::string& in_server, const std::string& in_http = {}) {
    interpret(
        "http { limit_req_zone $host zone=one:1m rate=10r/s; limit_req_zone $args zone=two:1m "
        "rate=60r/m; limit_conn_zone $host zone=c:1m; limit_conn_zone $args zone=d:1m; " +
        in_http + " server { " + in_server + " } }");
    zones_ = make_zones(http(), variables_, diagnostics_);
    provision_limits(http(), zones_, diagnostics_);
    provision_limits(server(), zones_, diagnostics_);
    variables_.finish(diagnostics_);
    for (const Zone& zone : zones_) tables_.push_back(registry_.get(zone.spec));
  }

  // One request, from its beginning to its end.
  struct Request {
    explicit Request(std::string_view host, std::string_view args = "x") {
      exchange.request.host = host;
      exchange.args = args;
    }
    exchange::Connection connection;
    base::Arena arena;
    exchange::Exchange exchange{connection, arena};
    ConnectionSlots slots;
  };
  LimitVerdict ask(Request& request) {
    return limit_requests(server(), request.exchange, tables_, now_);
  }
  LimitVerdict ask(std::string_view host, std::string_view args = "x") {
    Request request(host, args);
    const LimitVerdict verdict = ask(request);
    status_ = request.exchange.limit_req_status;
    line_ = verdict.line.text;
    return verdict;
  }
  LimitVerdict connect(Request& request) {
    const LimitVerdict verdict =
        limit_connections(server(), request.exchange, tables_, request.slots);
    line_ = verdict.line.text;
    return verdict;
  }

  script::Variables variables_;
  Zones registry_;
  std::vector<Zone> zones_;
  std::vector<std::shared_ptr<StateTable>> tables_;
  base::TimePoint now_{std::chrono::hours(1)};
  LimitStatus status_ = LimitStatus::none;
  std::string line_;
};

TEST_F(Limits, RefusesWhatIsAboveTheRateWithoutBurst) {
  load("limit_req zone=one;");
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(status_, LimitStatus::passed);
  const LimitVerdict verdict = ask("a");
  EXPECT_EQ(verdict.kind, Kind::refuse);
  EXPECT_EQ(verdict.status, 503U);
  EXPECT_EQ(verdict.line.level, observe::Level::error);
  EXPECT_EQ(line_, "limiting requests, excess: 1.000 by zone \"one\"");
  EXPECT_EQ(status_, LimitStatus::rejected);
  EXPECT_EQ(ask("b").kind, Kind::pass);
  now_ += milliseconds(100);
  EXPECT_EQ(ask("a").kind, Kind::pass);
}

TEST_F(Limits, DelaysWithinTheBurst) {
  load("limit_req zone=one burst=2;");
  EXPECT_EQ(ask("a").delay, milliseconds(0));
  LimitVerdict verdict = ask("a");
  EXPECT_EQ(verdict.kind, Kind::delay);
  EXPECT_EQ(verdict.delay, milliseconds(100));
  EXPECT_EQ(verdict.line.level, observe::Level::warn);
  EXPECT_EQ(line_, "delaying request, excess: 1.000, by zone \"one\"");
  EXPECT_EQ(status_, LimitStatus::delayed);
  EXPECT_EQ(ask("a").delay, milliseconds(200));
  EXPECT_EQ(ask("a").kind, Kind::refuse);
}

TEST_F(Limits, DelaysNothingWithNodelayAndOnlyTheRestWithDelay) {
  load("limit_req zone=one burst=2 nodelay; limit_req zone=two burst=3 delay=2;");
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(ask("a").kind, Kind::refuse);  // by "one"
  EXPECT_EQ(line_, "limiting requests, excess: 3.000 by zone \"one\"");
  EXPECT_EQ(ask("b").delay, milliseconds(1000));  // by "two": 3 - 2 at one a second
  EXPECT_EQ(line_, "delaying request, excess: 3.000, by zone \"two\"");
}

TEST_F(Limits, CountsInNoZoneWhatOneOfThemRefuses) {
  load("limit_req zone=one burst=5; limit_req zone=two;");
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(ask("b").kind, Kind::refuse);  // by "two", after "b" passed "one"
  EXPECT_EQ(ask("b", "y").kind, Kind::pass);  // so it is b's first
}

TEST_F(Limits, WaitsForTheLongestDelay) {
  load("limit_req zone=two burst=5; limit_req zone=one burst=5;");
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(ask("a").delay, milliseconds(1000));
  EXPECT_EQ(line_, "delaying request, excess: 1.000, by zone \"two\"");
}

TEST_F(Limits, CountsNoEmptyKey) {
  load("limit_req zone=two;");
  EXPECT_EQ(ask("a", "").kind, Kind::pass);
  EXPECT_EQ(status_, LimitStatus::none);
  EXPECT_EQ(ask("a", "").kind, Kind::pass);
}

TEST_F(Limits, CountsNoKeyThatIsTooLongAndDoesNotTellIt) {
  load("limit_req zone=two;");
  const std::string key(65536, 'k');
  EXPECT_EQ(ask("a", key).kind, Kind::pass);
  EXPECT_EQ(line_, "the value of the \"$args\" key is more than 65535 bytes");
  EXPECT_EQ(status_, LimitStatus::none);
}

TEST_F(Limits, CountsARequestOnce) {
  load("limit_req zone=one;");
  Request request("a");
  EXPECT_EQ(ask(request).kind, Kind::pass);
  EXPECT_EQ(ask(request).kind, Kind::pass);
}

TEST_F(Limits, OnlyTellsWhatItWouldDoInADryRun) {
  load("limit_req zone=one burst=1; limit_req_dry_run on; limit_req_log_level info;");
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(status_, LimitStatus::delayed_dry_run);
  EXPECT_EQ(line_, "delaying request, dry run, excess: 1.000, by zone \"one\"");
  const LimitVerdict verdict = ask("a");
  EXPECT_EQ(verdict.kind, Kind::pass);
  EXPECT_EQ(verdict.line.level, observe::Level::info);
  EXPECT_EQ(status_, LimitStatus::rejected_dry_run);
  EXPECT_EQ(line_, "limiting requests, dry run, excess: 2.000 by zone \"one\"");
}

TEST_F(Limits, InheritsLimitsWholeAndTheRestOneByOne) {
  load("limit_req_status 429;", "limit_req zone=one;");
  EXPECT_EQ(ask("a").kind, Kind::pass);
  EXPECT_EQ(ask("a").status, 429U);
}

TEST_F(Limits, ReplacesInheritedLimits) {
  load("limit_req zone=two;", "limit_req zone=one;");
  EXPECT_EQ(ask("a", "1").kind, Kind::pass);
  EXPECT_EQ(ask("a", "2").kind, Kind::pass);
}

TEST_F(Limits, CountsRequestsUnderWayUntilTheyEnd) {
  load("limit_conn c 2; limit_conn_status 429;");
  Request first("a");
  EXPECT_EQ(connect(first).kind, Kind::pass);
  EXPECT_EQ(first.exchange.limit_conn_status, LimitStatus::passed);
  {
    Request second("a");
    EXPECT_EQ(connect(second).kind, Kind::pass);
    Request third("a");
    EXPECT_EQ(connect(third).status, 429U);
    EXPECT_EQ(line_, "limiting connections by zone \"c\"");
    Request other("b");
    EXPECT_EQ(connect(other).kind, Kind::pass);
  }
  Request fourth("a");
  EXPECT_EQ(connect(fourth).kind, Kind::pass);
}

TEST_F(Limits, KeepsNoStateWhenNoRequestIsUnderWay) {
  load("limit_conn c 2;");
  {
    Request request("a");
    EXPECT_EQ(connect(request).kind, Kind::pass);
    EXPECT_EQ(tables_[2]->size(), 1U);
  }
  EXPECT_EQ(tables_[2]->size(), 0U);
}

TEST_F(Limits, KeepsNoPlaceOfARefusedRequest) {
  load("limit_conn c 2; limit_conn d 1;");
  Request first("a");
  EXPECT_EQ(connect(first).kind, Kind::pass);
  Request refused("a");
  EXPECT_EQ(connect(refused).kind, Kind::refuse);
  EXPECT_EQ(line_, "limiting connections by zone \"d\"");
  Request second("a", "y");
  EXPECT_EQ(connect(second).kind, Kind::pass);
}

TEST_F(Limits, OnlyTellsOfConnectionsInADryRun) {
  load("limit_conn c 1; limit_conn_dry_run on;");
  Request first("a");
  EXPECT_EQ(connect(first).kind, Kind::pass);
  Request second("a");
  EXPECT_EQ(connect(second).kind, Kind::pass);
  EXPECT_EQ(second.exchange.limit_conn_status, LimitStatus::rejected_dry_run);
  EXPECT_EQ(line_, "limiting connections, dry run, by zone \"c\"");
}

TEST_F(Limits, RefusesMistakesInNginxsWords) {
  load(
      "limit_req burst=1; limit_req zone=one burst=0; limit_req zone=one delay=x; limit_req "
      "zone=one what; limit_req zone=one; limit_req zone=one; limit_req zone=none; limit_req "
      "zone=c; limit_conn one 1; limit_conn c 0; limit_conn c 65536; limit_conn c 1; limit_conn c "
      "2;",
      "limit_req_zone $host zone=x:1m rate=0r/s; limit_req_zone $host zone=x rate=1r/s; "
      "limit_req_zone $host zone=x:16k rate=1r/s; limit_req_zone $host rate=1r/s rate=1r/s; "
      "limit_req_zone $args zone=one:1m rate=1r/s; limit_conn_zone $args zone=one:1m; "
      "limit_conn_zone $args what;");
  EXPECT_THAT(
      messages(),
      ElementsAre("invalid rate \"rate=0r/s\"", "invalid zone size \"zone=x\"",
                  "zone \"zone=x:16k\" is too small",
                  "\"limit_req_zone\" must have \"zone\" parameter",
                  "limit_req_zone \"one\" is already bound to key \"$host\"",
                  "the shared memory zone \"one\" is already declared for a different use",
                  "invalid parameter \"what\"", "\"limit_req\" must have \"zone\" parameter",
                  "invalid burst value \"burst=0\"", "invalid delay value \"delay=x\"",
                  "invalid parameter \"what\"", "\"limit_req\" directive is duplicate",
                  "invalid number of connections \"0\"", "connection limit must be less 65536",
                  "\"limit_conn\" directive is duplicate", "zero size shared memory zone \"none\"",
                  "the shared memory zone \"c\" is already declared for a different use",
                  "the shared memory zone \"one\" is already declared for a different use"));
}

TEST_F(Limits, RefusesAZoneThatTheMachineHasNoMemoryFor) {
  load("", "limit_req_zone $host zone=x:8000g rate=1r/s;");
  EXPECT_THAT(messages(), ElementsAre("zone \"zone=x:8000g\" is too large"));
}

TEST(Zones, KeepsATableWhileItsZoneStaysTheSame) {
  Zones zones;
  ZoneSpec spec{.kind = ZoneKind::requests, .name = "one", .key = "$host", .size = 1 << 20};
  const auto table = zones.get(spec);
  EXPECT_EQ(zones.get(spec), table);
  spec.key = "$args";
  EXPECT_NE(zones.get(spec), table);
  spec.size *= 2;
  const auto larger = zones.get(spec);
  EXPECT_EQ(larger->capacity(), 2 * table->capacity());
}

TEST(Zones, ReportsTheTablesThatAreInUse) {
  Zones zones;
  const auto gone = zones.get({.name = "gone", .key = "$host", .size = 1 << 20});
  const auto table =
      zones.get({.kind = ZoneKind::connections, .name = "open", .key = "$host", .size = 64 * 1024});
  {
    auto access = table->access(table->key_of("a"));
    ASSERT_EQ(access.find(), nullptr);
    static_cast<void>(access.add());
  }
  const std::vector<ZoneReport> all = zones.report();
  ASSERT_EQ(all.size(), 2U);
  EXPECT_EQ(all[1].name, "open");
  EXPECT_EQ(all[1].kind, ZoneKind::connections);
  EXPECT_EQ(all[1].states, 1U);
  EXPECT_EQ(all[1].capacity, 1024U);
}

TEST(Zones, ForgetsATableThatNobodyUses) {
  Zones zones;
  static_cast<void>(zones.get({.name = "gone", .key = "$host", .size = 1 << 20}));
  EXPECT_THAT(zones.report(), IsEmpty());
}

}  // namespace
}  // namespace guard
