#include "script/value.h"

#include <gtest/gtest.h>

#include "script/pattern.h"

namespace script {
namespace {

using testing::Test;

std::optional<std::string_view> animal(Subject&, const Suffix&) { return "cat"; }
std::optional<std::string_view> nothing(Subject&, const Suffix&) { return std::nullopt; }
std::optional<std::string_view> echo(Subject&, const Suffix& suffix) { return suffix.text; }
std::optional<std::string_view> echo_plus(Subject&, const Suffix&) { return "plus"; }
std::optional<std::string_view> big(Subject& subject, const Suffix&) {
  const auto memory = subject.arena.allocate_chars(Value::kMaxSize / 2 + 1);
  std::ranges::fill(memory, 'x');
  return std::string_view(memory.data(), memory.size());
}

constexpr VariableSpec kTable[] = {
    {.name = "animal", .get = animal, .documentation = ""},
    {.name = "nothing", .get = nothing, .documentation = ""},
    {.name = "big", .get = big, .documentation = ""},
    {.name = "echo_", .kind = VariableSpec::Kind::family, .get = echo, .documentation = ""},
    {.name = "echo_plus_",
     .kind = VariableSpec::Kind::family,
     .get = echo_plus,
     .documentation = ""},
};
constexpr VariableTable kTables[] = {kTable};
constexpr UnsupportedVariable kLater[] = {{"moon", "space"}, {"moon_*", "space"}};

class ValueTest : public Test {
 protected:
  Value compile(std::string text) {
    const config::Word word{std::move(text), {0, 1, 1}, false};
    return Value::compile(word, variables, diagnostics);
  }
  std::string evaluate(std::string text) {
    const Value value = compile(std::move(text));
    return std::string(value.evaluate(subject));
  }
  /// The errors of one value, compiled and finished.
  std::vector<std::string> errors_of(std::string text) {
    Variables fresh(kTables, kLater);
    config::Diagnostics reports;
    reports.add_source("test.conf", text);
    const config::Word word{std::move(text), {0, 1, 1}, false};
    const Value value = Value::compile(word, fresh, reports);
    fresh.finish(reports);
    std::vector<std::string> out;
    for (const auto& entry : reports.list()) {
      out.push_back(entry.message + (entry.hint.empty() ? "" : " | " + entry.hint) + " @" +
                    std::to_string(entry.column));
    }
    return out;
  }

  base::Arena arena;
  base::Captures captures;
  std::array<std::optional<std::string_view>, 4> named{};
  Variables variables{kTables, kLater};
  config::Diagnostics diagnostics;
  Subject subject{arena, captures, named, {}, {}};
};

TEST_F(ValueTest, KeepsTextWithoutVariables) {
  const Value value = compile("plain text {} ?");
  EXPECT_TRUE(value.is_constant());
  EXPECT_EQ(value.constant(), "plain text {} ?");
  EXPECT_EQ(value.evaluate(subject), "plain text {} ?");
  EXPECT_TRUE(compile("").is_constant());
  EXPECT_EQ(compile("").evaluate(subject), "");
  EXPECT_EQ(Value::literal("$animal").evaluate(subject), "$animal");
}

TEST_F(ValueTest, ReplacesVariables) {
  EXPECT_EQ(evaluate("$animal"), "cat");
  EXPECT_EQ(evaluate("a $animal, ${animal}s and $Animal"), "a cat, cats and cat");
  EXPECT_EQ(evaluate("$animal$animal"), "catcat");
  EXPECT_EQ(evaluate("[$nothing]"), "[]");
  EXPECT_EQ(evaluate("$nothing"), "");
  EXPECT_FALSE(compile("$animal").is_constant());
  EXPECT_EQ(compile("$animal").constant(), "");
}

TEST_F(ValueTest, GivesALoneVariableWithoutACopy) {
  const Value value = compile("$animal");
  const std::size_t before = arena.used();
  EXPECT_EQ(value.evaluate(subject), "cat");
  EXPECT_EQ(arena.used(), before);
}

TEST_F(ValueTest, GivesFamiliesTheirSuffixAndPrefersTheLongest) {
  EXPECT_EQ(evaluate("$echo_Hello_1"), "hello_1");
  EXPECT_EQ(evaluate("$echo_plus_x"), "plus");
  EXPECT_EQ(evaluate("$echo_plus"), "plus");
}

TEST_F(ValueTest, ReadsOneDigitOfACapture) {
  captures.groups = {"whole", "one", "two"};
  captures.count = 3;
  EXPECT_EQ(evaluate("$1-$2"), "one-two");
  EXPECT_EQ(evaluate("$10"), "one0");
  EXPECT_EQ(evaluate("${1}0"), "one0");
  EXPECT_EQ(evaluate("[$9]"), "[]");
  EXPECT_TRUE(compile("$1").uses_captures());
  EXPECT_FALSE(compile("$animal").uses_captures());
}

TEST_F(ValueTest, MergesNeighbouringLiterals) {
  EXPECT_EQ(compile("a${animal}b").pieces().size(), 3U);
  EXPECT_EQ(compile("ab").pieces().size(), 1U);
}

TEST_F(ValueTest, TakesManyPieces) {
  std::string text;
  std::string expected;
  for (int i = 0; i < 100; ++i) {
    text += "$animal,";
    expected += "cat,";
  }
  EXPECT_EQ(evaluate(text), expected);
}

TEST_F(ValueTest, EndsAtItsCeiling) {
  EXPECT_EQ(evaluate("$big-").size(), Value::kMaxSize / 2 + 2);
  EXPECT_FALSE(subject.failed);
  EXPECT_EQ(evaluate("$big$big"), "");
  EXPECT_TRUE(subject.failed);
}

TEST_F(ValueTest, IsTrueUnlessEmptyOrZero) {
  EXPECT_TRUE(compile("$animal").is_true(subject));
  EXPECT_TRUE(compile("00").is_true(subject));
  EXPECT_FALSE(compile("0").is_true(subject));
  EXPECT_FALSE(compile("$nothing").is_true(subject));
}

TEST_F(ValueTest, ReportsWhatIsMalformed) {
  using Errors = std::vector<std::string>;
  const std::string no_escape = " | nginx's language has no escape for a dollar sign";
  EXPECT_EQ(errors_of("cost: 5$"), Errors{"invalid variable name" + no_escape + " @8"});
  EXPECT_EQ(errors_of("$-"), Errors{"invalid variable name" + no_escape + " @1"});
  EXPECT_EQ(errors_of("${}"), Errors{"invalid variable name" + no_escape + " @1"});
  EXPECT_EQ(errors_of("a${animal"),
            Errors{"the closing bracket in \"animal\" variable is missing @2"});
  EXPECT_EQ(errors_of("${an-imal}"),
            Errors{"the closing bracket in \"an\" variable is missing @1"});
}

TEST_F(ValueTest, ReportsEveryUnknownVariable) {
  using Errors = std::vector<std::string>;
  EXPECT_EQ(errors_of("$animla"),
            Errors{"unknown \"animla\" variable | did you mean \"$animal\"? @1"});
  EXPECT_EQ(errors_of("$zzz $0 $echo_"),
            (Errors{"unknown \"zzz\" variable @1", "unknown \"0\" variable @6",
                    "unknown \"echo_\" variable @9"}));
  EXPECT_EQ(errors_of("$moon"),
            Errors{"the \"moon\" variable is not supported yet | it comes with the "
                   "part \"space\" @1"});
  EXPECT_EQ(errors_of("$moon_phase").size(), 1U);
}

std::optional<Pattern> pattern(std::string_view text, Variables& variables,
                               config::Diagnostics& diagnostics) {
  return Pattern::compile(text, base::Regex::Case::sensitive, {}, variables, diagnostics);
}

TEST_F(ValueTest, TakesNamedGroupsWhereverTheyAreDeclared) {
  const Value before = compile("<$user>");
  const auto matcher = pattern("^/~(?<user>[^/]+)/(.*)$", variables, diagnostics);
  const Value after = compile("$user:$2");
  ASSERT_TRUE(matcher);
  variables.finish(diagnostics);
  EXPECT_FALSE(diagnostics.has_errors());
  EXPECT_EQ(variables.slot_count(), 1U);
  EXPECT_EQ(before.evaluate(subject), "<>");
  EXPECT_EQ(matcher->match("/~ann/x/y", subject), true);
  EXPECT_EQ(before.evaluate(subject), "<ann>");
  EXPECT_EQ(after.evaluate(subject), "ann:x/y");
}

TEST_F(ValueTest, KeepsCapturesWhenNothingMatches) {
  const auto first = pattern("(a+)", variables, diagnostics);
  const auto second = pattern("(b+)", variables, diagnostics);
  const auto groupless = pattern("c", variables, diagnostics);
  EXPECT_EQ(first->match("caa", subject), true);
  EXPECT_EQ(second->match("caa", subject), false);
  EXPECT_EQ(evaluate("$1"), "aa");
  EXPECT_EQ(groupless->match("caa", subject), true);
  EXPECT_EQ(evaluate("$1"), "");
}

TEST_F(ValueTest, ReportsMalformedPatterns) {
  EXPECT_FALSE(pattern("/(a", variables, diagnostics));
  EXPECT_FALSE(pattern("(?<animal>x)", variables, diagnostics));
  EXPECT_FALSE(pattern("(?<moon>x)", variables, diagnostics));
  const auto list = diagnostics.list();
  ASSERT_EQ(list.size(), 3U);
  EXPECT_EQ(list[0].message, "pcre2_compile() failed: missing closing parenthesis in \"/(a\"");
  EXPECT_EQ(list[1].message, "the duplicate \"animal\" variable");
  EXPECT_EQ(list[2].message, "the duplicate \"moon\" variable");
}

}  // namespace
}  // namespace script
