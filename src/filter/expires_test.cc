#include "filter/expires.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/testing/loaded.h"

namespace filter {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;
using Kind = ExpiresRule::Kind;

TEST(ParseExpires, ReadsTimesAndWords) {
  EXPECT_EQ(parse_expires("1h30m", false)->time, 90min);
  EXPECT_EQ(parse_expires("-5", false)->time, -5s);
  EXPECT_EQ(parse_expires("+5", false)->time, 5s);
  EXPECT_EQ(parse_expires("@24h", false)->kind, Kind::daily);
  EXPECT_EQ(parse_expires("epoch", false)->kind, Kind::epoch);
  EXPECT_EQ(parse_expires("max", false)->kind, Kind::max);
  EXPECT_EQ(parse_expires("off", false)->kind, Kind::off);
  EXPECT_EQ(parse_expires("1h", true)->kind, Kind::modified);
}

TEST(ParseExpires, RefusesWhatIsNone) {
  for (const char* text : {"", "-", "+", "@", "@-1h", "--1", "+-1", "1 h x", "500ms", "Max", "1h ",
                           "99999999999999999999", "@24h1s"}) {
    EXPECT_FALSE(parse_expires(text, false)) << text;
  }
  for (const char* text : {"epoch", "max", "off", "@1h"}) {
    EXPECT_FALSE(parse_expires(text, true)) << text;
  }
}

class Expires : public ::testing::Test, protected config::testing::Loaded {
 protected:
  Expires() : Loaded(kExpiresFeature) {}
  void load(const std::string& in_server, const std::string& in_http = {}) {
    interpret("http { " + in_http + " server { " + in_server + " } }");
    provision_expires(http(), variables_, diagnostics_);
    provision_expires(server(), variables_, diagnostics_);
    exchange_.now_wall = base::WallTime(std::chrono::seconds(784111777));
    exchange_.response.status = 200;
  }
  std::string field(http::FieldName name) {
    return std::string(exchange_.response.fields.value(name));
  }

  script::Variables variables_;
  exchange::Connection connection_;
  base::Arena arena_;
  exchange::Exchange exchange_{connection_, arena_};
};

TEST_F(Expires, IsTheDateAndTheAgeFromNow) {
  load("", "expires 1h;");
  ASSERT_TRUE(apply_expires(server(), exchange_));
  EXPECT_EQ(field(http::FieldName::expires), "Sun, 06 Nov 1994 09:49:37 GMT");
  EXPECT_EQ(field(http::FieldName::cache_control), "max-age=3600");
}

TEST_F(Expires, CountsFromLastModified) {
  load("expires modified 1d;");
  ASSERT_TRUE(exchange_.response.fields.add(http::FieldName::last_modified,
                                            "Sat, 05 Nov 1994 09:49:37 GMT"));
  ASSERT_TRUE(apply_expires(server(), exchange_));
  EXPECT_EQ(field(http::FieldName::expires), "Sun, 06 Nov 1994 09:49:37 GMT");
  EXPECT_EQ(field(http::FieldName::cache_control), "max-age=3600");
}

TEST_F(Expires, OffIsAWordOfItsOwn) {
  load("expires off;", "expires 1h;");
  ASSERT_TRUE(apply_expires(server(), exchange_));
  EXPECT_TRUE(exchange_.response.fields.empty());
}

TEST_F(Expires, AgesWithoutEndStayDates) {
  load("expires 290000y;");
  EXPECT_THAT(messages(), IsEmpty());
  ASSERT_TRUE(apply_expires(server(), exchange_));
  EXPECT_EQ(field(http::FieldName::expires).size(), 29U);
}

TEST_F(Expires, MistakesAreToldInNginxsWords) {
  load("expires soon;");
  EXPECT_THAT(messages(), ElementsAre("\"expires\" directive invalid value"));
}

}  // namespace
}  // namespace filter
