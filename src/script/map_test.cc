#include "script/map.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "base/text.h"
#include "config/testing/loaded.h"
#include "script/data_directives.h"

namespace script {
namespace {

using ::testing::Contains;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using Kind = exchange::EvaluationFailure::Kind;

class MapTest : public ::testing::Test, protected config::testing::Loaded {
 protected:
  MapTest() : Loaded(kDataFeature) {}

  void load(const std::string& blocks) {
    interpret("http { " + blocks + " }");
    provision_data(http(), variables, diagnostics_);
  }
  /// What `text` is for a request with these arguments; each call is a request of its own.
  std::string get(const std::string& text, std::string_view args = {}) {
    const Value value = Value::compile({text, {}, false}, variables, diagnostics_);
    variables.finish(diagnostics_);
    slots.assign(variables.slot_count(), std::nullopt);
    exchange.emplace(connection, arena);
    exchange->args = args;
    exchange->named_captures = slots;
    return std::string(value.evaluate(*exchange));
  }
  std::vector<std::string> errors_of(const std::string& blocks) {
    load(blocks);
    variables.finish(diagnostics_);
    return messages();
  }

  Variables variables;
  base::Arena arena;
  exchange::Connection connection;
  std::vector<std::optional<std::string_view>> slots;
  std::optional<exchange::Exchange> exchange;
};

TEST_F(MapTest, LooksUpATextInAnyLetterCase) {
  load("map $arg_x $v { default none; red 1; Green 2; '' empty; \"two words\" 3; }");
  EXPECT_EQ(get("$v", "x=red"), "1");
  EXPECT_EQ(get("$v", "x=GREEN"), "2");
  EXPECT_EQ(get("$v", "x=blue"), "none");
  EXPECT_EQ(get("$v"), "empty");
  EXPECT_EQ(get("<$V>", "x=two words"), "<3>");
  EXPECT_THAT(messages(), IsEmpty());
}

TEST_F(MapTest, WithoutADefaultGivesTheEmptyText) {
  load("map $arg_x $v { a 1; }");
  EXPECT_EQ(get("<$v>", "x=b"), "<>");
}

TEST_F(MapTest, MayBeUsedBeforeItIsDefined) {
  const Value early = Value::compile({"$v", {}, false}, variables, diagnostics_);
  load("map $arg_x $v { a 1; }");
  EXPECT_EQ(get("$v", "x=a"), "1");
  EXPECT_EQ(early.evaluate(*exchange), "1");
}

TEST_F(MapTest, TakesWildcardsOfHostNames) {
  load("map $arg_x $v { hostnames; default d; *.example.com w; .dot.org o; mail.* m; a.b e; }");
  EXPECT_EQ(get("$v", "x=A.example.com"), "w");
  EXPECT_EQ(get("$v", "x=example.com"), "d");
  EXPECT_EQ(get("$v", "x=dot.org."), "o");
  EXPECT_EQ(get("$v", "x=mail.x"), "m");
  EXPECT_EQ(get("$v", "x=a.b."), "e");
}

TEST_F(MapTest, WithoutHostNamesAStarIsAStar) {
  load("map $arg_x $v { *.a 1; }");
  EXPECT_EQ(get("$v", "x=*.a"), "1");
  EXPECT_EQ(get("$v", "x=b.a"), "");
  EXPECT_EQ(get("$v", "x=*.a."), "");
}

TEST_F(MapTest, TriesRegularExpressionsInTheirOrderAfterTheKeys) {
  load("map $arg_x $v { ~^a first; ~b$ second; ~*^C any; ab key; ~(?<name>x+)y \"$1-$name\"; }");
  EXPECT_EQ(get("$v", "x=aab"), "first");
  EXPECT_EQ(get("$v", "x=bb"), "second");
  EXPECT_EQ(get("$v", "x=cc"), "any");
  EXPECT_EQ(get("$v", "x=Ax"), "");
  EXPECT_EQ(get("$v", "x=ab"), "key");
  EXPECT_EQ(get("$v $name", "x=xxy"), "xx-xx xx");
}

TEST_F(MapTest, ShowsNoRegularExpressionTheEmptyText) {
  load("map $arg_x $v { ~^ matched; default d; }");
  EXPECT_EQ(get("$v"), "d");
}

TEST_F(MapTest, ABackslashTakesAKeyAsItIs) {
  load(R"(map $arg_x $v { \default 1; \~x 2; \hostnames 3; \include 4; default d; })");
  EXPECT_EQ(get("$v", "x=default"), "1");
  EXPECT_EQ(get("$v", "x=~x"), "2");
  EXPECT_EQ(get("$v", "x=hostnames"), "3");
  EXPECT_EQ(get("$v", "x=include"), "4");
  EXPECT_EQ(get("$v", "x=other"), "d");
}

TEST_F(MapTest, KeysAndValuesMayHaveVariables) {
  load("map $arg_a:$arg_b $v { 1:2 \"<$arg_c>\"; default $arg_d; }");
  EXPECT_EQ(get("$v", "a=1&b=2&c=3"), "<3>");
  EXPECT_EQ(get("$v", "a=1&d=4"), "4");
}

TEST_F(MapTest, ComputesItsValueOnceForARequest) {
  load("map $arg_x $v { default $arg_x; } map $arg_x $w { volatile; default $arg_x; }");
  EXPECT_EQ(get("$v$w", "x=1"), "11");
  exchange->args = "x=2";
  const Value value = Value::compile({"$v$w", {}, false}, variables, diagnostics_);
  EXPECT_EQ(value.evaluate(*exchange), "12");
}

TEST_F(MapTest, WhoeverWritesTheSlotTakesItsPlace) {
  load("map $arg_x $v { volatile; default map; }");
  const auto slot = variables.declare("v", {}, diagnostics_);
  ASSERT_TRUE(slot);
  EXPECT_EQ(get("$v"), "map");
  slots[*slot] = "set";
  const Value value = Value::compile({"$v", {}, false}, variables, diagnostics_);
  EXPECT_EQ(value.evaluate(*exchange), "set");
}

TEST_F(MapTest, OfTwoMapsOfOneVariableTheLastCounts) {
  load("map $arg_x $v { default first; } map $arg_x $v { default last; }");
  EXPECT_EQ(get("$v"), "last");
  EXPECT_THAT(messages(), IsEmpty());
}

TEST_F(MapTest, MayTakeTheNameOfAHeader) {
  const Value early = Value::compile({"$http_x", {}, false}, variables, diagnostics_);
  load("map $arg_x $http_x { default mapped; }");
  EXPECT_EQ(get("$http_x"), "mapped");
  EXPECT_EQ(early.evaluate(*exchange), "mapped");
  EXPECT_EQ(get("$http_y"), "");
}

TEST_F(MapTest, AVariableThatNeedsItselfEndsEmpty) {
  load("map $b $a { default x$b; } map $a $b { default $a; }");
  // As in nginx: each of the hundred that were asked for adds its letter to nothing.
  EXPECT_EQ(get("$a").size(), 50U);
  EXPECT_EQ(exchange->failure.kind, Kind::cycle);
  EXPECT_THAT(std::string(exchange->failure.what), HasSubstr("cycle while evaluating variable"));
}

TEST_F(MapTest, VolatileCyclesEndAtOnce) {
  load("map $b $a { volatile; default $b$b$b$b; } map $a $b { volatile; default $a$a$a$a; }");
  EXPECT_EQ(get("$a"), "");
  EXPECT_EQ(exchange->failure.kind, Kind::cycle);
}

TEST_F(MapTest, LongChainsAreNoCycles) {
  std::string blocks;
  for (int i = 0; i < 98; ++i) {
    blocks += "map $v" + std::to_string(i + 1) + " $v" + std::to_string(i) + " { a a; }";
  }
  load(blocks + "map $arg_x $v98 { a a; }");
  EXPECT_EQ(get("$v0", "x=a"), "a");
  EXPECT_EQ(exchange->failure.kind, Kind::none);
}

TEST_F(MapTest, ARegularExpressionWithoutAVerdictIsAFailure) {
  load("map $arg_x $v { ~^(a+)+$ matched; ~. other; default d; } map $v $w { default w; }");
  const std::string args = "x=" + std::string(40, 'a') + "!";
  EXPECT_EQ(get("$v", args), "");
  EXPECT_EQ(exchange->failure.kind, Kind::regex_steps);
  EXPECT_THAT(std::string(exchange->failure.what), HasSubstr("step limit"));
  EXPECT_EQ(get("$w", args), "");
  EXPECT_EQ(exchange->failure.kind, Kind::regex_steps);
}

TEST_F(MapTest, ReportsMistakesInNginxsWords) {
  EXPECT_THAT(errors_of("map $arg_x v { a 1; }"),
              ElementsAre(HasSubstr("invalid variable name \"v\"")));
}
TEST_F(MapTest, ReportsEntries) {
  EXPECT_THAT(
      errors_of("map $arg_x $v { a; b 1 2; default 1; default 2; k 1; K 2; ~( 1; }"),
      ElementsAre(HasSubstr("invalid number of the map parameters"),
                  HasSubstr("invalid number of the map parameters"),
                  HasSubstr("duplicate default map parameter"),
                  HasSubstr("conflicting parameter \"K\""), HasSubstr("pcre2_compile() failed")));
}
TEST_F(MapTest, ReportsWildcards) {
  EXPECT_THAT(errors_of("map $arg_x $v { hostnames; a.*.b 1; *.a 1; .a 2; }"),
              ElementsAre(HasSubstr("invalid hostname or wildcard \"a.*.b\""),
                          HasSubstr("conflicting parameter \".a\"")));
}
TEST_F(MapTest, ReportsNamesThatExist) {
  EXPECT_THAT(errors_of("map $arg_x $host { a 1; }"),
              ElementsAre(HasSubstr("the duplicate \"host\" variable")));
}
TEST_F(MapTest, ReportsVariablesThatNobodyHas) {
  EXPECT_THAT(errors_of("map $nothing $v { a $less; }"),
              ElementsAre(HasSubstr("unknown \"nothing\" variable"),
                          HasSubstr("unknown \"less\" variable")));
}

// --- against a slow evaluation: all keys, then all expressions, one by one

TEST_F(MapTest, AgreesWithASlowEvaluation) {
  constexpr std::array<std::string_view, 6> kTexts{"a", "B", "ab", "aB", "ba", "bab"};
  constexpr std::array<std::string_view, 4> kExpressions{"~^a", "~*b$", "~ba", "~*^B.B$"};
  const auto matches = [](std::string_view expression, std::string_view text) {
    const std::string low = base::lower(text);
    if (expression == "~^a") return text.starts_with('a');
    if (expression == "~*b$") return low.ends_with('b');
    if (expression == "~ba") return text.find("ba") != std::string_view::npos;
    return low.size() == 3 && low.front() == 'b' && low.back() == 'b';
  };
  std::mt19937 random(11);
  std::string blocks;
  std::vector<std::vector<std::pair<std::string, std::string>>> maps(60);
  for (std::size_t i = 0; i < maps.size(); ++i) {
    blocks += "map $arg_x $v" + std::to_string(i) + " { ";
    for (int turn = 0; turn < 4; ++turn) {
      const bool expression = random() % 2 == 0;
      const std::string key(expression ? kExpressions[random() % kExpressions.size()]
                                       : kTexts[random() % kTexts.size()]);
      const bool known = std::ranges::any_of(
          maps[i], [&](const auto& entry) { return base::equal_ignoring_case(entry.first, key); });
      if (known && !expression) continue;
      maps[i].emplace_back(key, std::to_string(turn));
      blocks += key + " " + std::to_string(turn) + "; ";
    }
    blocks += "default d; } ";
  }
  load(blocks);
  ASSERT_THAT(messages(), IsEmpty());
  for (std::size_t i = 0; i < maps.size(); ++i) {
    for (const std::string_view text : kTexts) {
      std::string expected = "d";
      for (const auto& [key, value] : maps[i]) {
        if (expected == "d" && key.starts_with('~') && matches(key, text)) expected = value;
      }
      for (const auto& [key, value] : maps[i]) {
        if (base::equal_ignoring_case(key, text)) expected = value;
      }
      EXPECT_EQ(get("$v" + std::to_string(i), "x=" + std::string(text)), expected) << i << text;
    }
  }
}

}  // namespace
}  // namespace script
