#include "script/split_clients.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>
#include <string>

#include "config/testing/loaded.h"
#include "script/data_directives.h"

namespace script {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

// That nginx has the same is tested in tests/integration/nginx/test_split_clients.py.
TEST(MurmurHash2, HashesTextsOfEachSize) {
  EXPECT_EQ(murmur_hash2(""), 0U);
  EXPECT_EQ(murmur_hash2("a"), 0x92685f5eU);
  EXPECT_EQ(murmur_hash2("abc"), 0x13577c9bU);
  EXPECT_EQ(murmur_hash2("abcd"), 0x26873021U);
  EXPECT_EQ(murmur_hash2("192.0.2.1"), 0xc8da48f3U);
  EXPECT_EQ(murmur_hash2("\xff\xfe\xfd"), 0x3d614590U);
}

class SplitClientsTest : public ::testing::Test, protected config::testing::Loaded {
 protected:
  SplitClientsTest() : Loaded(kDataFeature) {}

  void load(const std::string& blocks) {
    interpret("http { " + blocks + " }");
    provision_data(http(), variables, diagnostics_);
  }
  std::string get(const std::string& key) {
    const Value value = Value::compile({"$v", {}, false}, variables, diagnostics_);
    slots.assign(variables.slot_count(), std::nullopt);
    exchange::Exchange exchange(connection, arena);
    exchange.named_captures = slots;
    const std::string args = "x=" + key;
    exchange.args = args;
    return std::string(value.evaluate(exchange));
  }
  std::map<std::string, int> draw() {
    std::map<std::string, int> drawn;
    for (int i = 0; i < 10000; ++i) ++drawn[get(std::to_string(i))];
    return drawn;
  }

  Variables variables;
  base::Arena arena;
  exchange::Connection connection;
  std::vector<std::optional<std::string_view>> slots;
};

TEST_F(SplitClientsTest, GivesSharesOfPercents) {
  load("split_clients $arg_x $v { 20% a; 30.5% b; * rest; }");
  EXPECT_THAT(messages(), IsEmpty());
  auto drawn = draw();
  EXPECT_NEAR(drawn["a"], 2000, 200);
  EXPECT_NEAR(drawn["b"], 3050, 200);
  EXPECT_NEAR(drawn["rest"], 4950, 200);
}

TEST_F(SplitClientsTest, LeavesTheRestEmpty) {
  load("split_clients $arg_x $v { 50% $a; }");
  auto drawn = draw();
  EXPECT_NEAR(drawn["$a"], 5000, 200);
  EXPECT_NEAR(drawn[""], 5000, 200);
}

TEST_F(SplitClientsTest, AHundredPercentIsAll) {
  load("split_clients $arg_x $v { 33.33% a; 66.67% b; }");
  auto drawn = draw();
  EXPECT_EQ(drawn["a"] + drawn["b"], 10000);
}

TEST_F(SplitClientsTest, ReportsMistakesInNginxsWords) {
  load(
      "split_clients $arg_x $v { 10 a; % b; 0% c; 0.001% d; 1.2.3% e; -1% f; 10% g h; 60% i; "
      "50% j; * k; }");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("invalid percent value \"10\""),
                                      HasSubstr("invalid percent value \"%\""),
                                      HasSubstr("invalid percent value \"0%\""),
                                      HasSubstr("invalid percent value \"0.001%\""),
                                      HasSubstr("invalid percent value \"1.2.3%\""),
                                      HasSubstr("invalid percent value \"-1%\""),
                                      HasSubstr("invalid number of the split_clients parameters"),
                                      HasSubstr("percent total is greater than 100%")));
}

TEST_F(SplitClientsTest, NothingComesAfterTheRest) {
  load("split_clients $arg_x $v { * a; 1% b; }");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("percent total is greater than 100%")));
}

}  // namespace
}  // namespace script
