#include "base/regex.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Regex, CapturesAreViewsIntoTheSubject) {
  const auto regex = Regex::compile("^/user/(?<name>[^/]+)/(x)?", Regex::Case::sensitive);
  ASSERT_TRUE(regex);
  Captures captures;
  const std::string_view subject = "/user/ann/";
  EXPECT_TRUE(*regex->match(subject, &captures));
  EXPECT_EQ(captures[1], "ann");
  EXPECT_EQ(captures[1].data(), subject.substr(6).data());
  EXPECT_EQ(captures[2], "");
  ASSERT_EQ(regex->named_groups().size(), 1U);
  EXPECT_EQ(regex->named_groups()[0].name, "name");
}

TEST(Regex, StopsCatastrophicPatternsWithAnError) {
  const auto regex = Regex::compile("^(a+)+$", Regex::Case::sensitive);
  const std::string subject = std::string(64, 'a') + "!";
  const auto matched = regex->match(subject, nullptr);
  ASSERT_FALSE(matched);
  EXPECT_EQ(matched.error().code, ErrorCode::exhausted);
}

TEST(Regex, FindsWhatTheJitOfOlderLibrariesOverlooks) {
  struct Case {
    std::string_view pattern;
    std::string_view subject;
  };
  for (const Case& each :
       {Case{"(.|)[a]+.", "aa"}, Case{"(?:a./|.|/).+.+", "ab//"},
        Case{"(..[ab]|[ab]).*a", "bba///"}, Case{"/(?:(?:a|a.)a|)/*[ab]", "/acac/"}}) {
    const auto regex = Regex::compile(each.pattern, Regex::Case::sensitive);
    ASSERT_TRUE(regex);
    EXPECT_TRUE(regex->match(each.subject, nullptr).value_or(false)) << each.pattern;
  }
}

TEST(Regex, SaysWhereAPatternIsWrong) {
  const auto regex = Regex::compile("a(b", Regex::Case::sensitive);
  ASSERT_FALSE(regex);
  EXPECT_EQ(regex.error().offset, 3U);
}

}  // namespace
}  // namespace base
