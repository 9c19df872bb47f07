#include "accesslog/log_path.h"

#include <gtest/gtest.h>

namespace accesslog {
namespace {

class LogPathTest : public testing::Test {
 protected:
  std::optional<std::string> path(std::string text, std::string_view arguments) {
    ex.args = arguments;
    const LogPath compiled =
        LogPath::compile({.text = std::move(text), .at = {}}, variables, diagnostics);
    script::Subject subject(ex);
    return compiled.evaluate(subject);
  }
  base::Arena arena;
  exchange::Connection client;
  exchange::Exchange ex{client, arena};
  script::Variables variables;
  config::Diagnostics diagnostics;
};

TEST_F(LogPathTest, TakesValuesThatAreNames) {
  EXPECT_EQ(path("/logs/$arg_a.log", "a=shop"), "/logs/shop.log");
  EXPECT_EQ(path("/logs/${arg_a}_$arg_b/x.log", "a=..&b=.c"), "/logs/.._.c/x.log");
  EXPECT_EQ(path("/logs/$arg_none.log", ""), "/logs/.log");
  EXPECT_EQ(path("/a/../logs/$arg_a", "a=x"), "/a/../logs/x") << "the administrator's own dots";
}

TEST_F(LogPathTest, RefusesValuesThatLeadElsewhere) {
  EXPECT_EQ(path("/logs/$arg_a.log", "a=../etc/x"), std::nullopt);
  EXPECT_EQ(path("/logs/$arg_a/x.log", "a=.."), std::nullopt);
  EXPECT_EQ(path("/logs/$arg_a/x.log", "a=."), std::nullopt);
  EXPECT_EQ(path("/logs/$arg_a", "a=.."), std::nullopt);
  EXPECT_EQ(path("/logs/.$arg_a/x.log", "a=."), std::nullopt);
  EXPECT_EQ(path("/logs/$arg_a$arg_a", "a=."), std::nullopt);
  EXPECT_EQ(path("/logs/$arg_a", std::string_view("a=x\0y", 5)), std::nullopt);
  EXPECT_EQ(path("/logs/$arg_a", "a=x\ny"), std::nullopt);
  EXPECT_EQ(path("/logs/$arg_a", "a=" + std::string(5000, 'x')), std::nullopt);
}

TEST_F(LogPathTest, RefusesCredentials) {
  static_cast<void>(path("/logs/$http_authorization.log", ""));
  ASSERT_TRUE(diagnostics.has_errors());
  EXPECT_EQ(diagnostics.list().front().message,
            "\"$http_authorization\" in the path of a log is a credential");
}

}  // namespace
}  // namespace accesslog
