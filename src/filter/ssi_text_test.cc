#include "filter/ssi_text.h"

#include <gtest/gtest.h>

namespace filter {
namespace {

std::string expanded(std::string_view text) {
  const auto lookup = [](std::string_view name) -> std::optional<std::string_view> {
    if (name == "a") return "A";
    if (name == "long_1") return "L";
    return std::nullopt;
  };
  const auto made = expand_ssi(text, lookup);
  return made ? *made : "!" + std::string(made.error().context);
}

TEST(SsiText, VariablesAreReplaced) {
  EXPECT_EQ(expanded(""), "");
  EXPECT_EQ(expanded("x$a-${a}a$LONG_1"), "xA-AaL");
  EXPECT_EQ(expanded("[$none]"), "[]");
  EXPECT_EQ(expanded("$"), "!invalid variable name in an SSI command");
  EXPECT_EQ(expanded("$-"), "!invalid variable name in an SSI command");
  EXPECT_EQ(expanded("${a"), "!the closing bracket of a variable is missing in an SSI command");
}

TEST(SsiText, BackslashesTakeTheMeaningFromFourCharacters) {
  EXPECT_EQ(expanded("\\$a\\\\\\\"\\'\\n"), "$a\\\"'\\n");
  EXPECT_EQ(expanded("a\\"), "a");
}

TEST(SsiConditions, HaveFiveForms) {
  const auto truth = parse_ssi_condition("$A");
  ASSERT_TRUE(truth);
  EXPECT_EQ(truth->left, "$a");
  EXPECT_FALSE(truth->right);
  const auto differs = parse_ssi_condition("$a  !=  B c");
  ASSERT_TRUE(differs);
  EXPECT_TRUE(differs->negative);
  EXPECT_EQ(differs->right, "B c");
  const auto matches = parse_ssi_condition("$a=/x y/");
  ASSERT_TRUE(matches);
  EXPECT_TRUE(matches->is_regex);
  EXPECT_EQ(matches->right, "x y");
  const auto slash = parse_ssi_condition("$a = \\/x");
  ASSERT_TRUE(slash);
  EXPECT_FALSE(slash->is_regex);
  EXPECT_EQ(slash->right, "/x");
  for (const auto* text : {"$a ~ b", "$a = /b", "$a !", "-"}) {
    EXPECT_FALSE(parse_ssi_condition(text)) << text;
  }
}

TEST(SsiEncodings, EscapeWhatWouldMeanSomething) {
  EXPECT_EQ(escape_entities("<a href=\"&\">'"), "&lt;a href=&quot;&amp;&quot;&gt;'");
  EXPECT_EQ(escape_for_url("a b/\"%?&=\x7f\xc3"), "a%20b/%22%25?&=%7F%C3");
}

}  // namespace
}  // namespace filter
