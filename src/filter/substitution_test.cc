#include "filter/substitution.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace filter {
namespace {

using Pairs = std::vector<std::pair<std::string, std::string>>;
using Times = Substitution::Times;

PatternSet patterns_of(const Pairs& pairs) {
  std::vector<std::string_view> patterns;
  for (const auto& pair : pairs) patterns.push_back(pair.first);
  return PatternSet(patterns);
}

// What a reader of the documentation would do with a whole text.
std::string reference(const Pairs& pairs, Times times, std::string_view text) {
  std::string out;
  std::vector<bool> used(pairs.size());
  for (std::size_t at = 0; at < text.size();) {
    bool found = false;
    for (std::size_t i = 0; i < pairs.size() && !found; ++i) {
      if (used[i] || !base::starts_with_ignoring_case(text.substr(at), pairs[i].first)) continue;
      out += pairs[i].second;
      at += pairs[i].first.size();
      used[i] = times == Times::once;
      found = true;
    }
    if (!found) out += text[at++];
  }
  return out;
}

std::string substitute(const Pairs& pairs, Times times, std::string_view text, std::size_t piece) {
  const PatternSet patterns = patterns_of(pairs);
  Substitution substitution(patterns, times, [&](std::uint32_t number) {
    return std::optional<std::string_view>(pairs[number].second);
  });
  std::string all;
  std::string out;
  for (std::size_t at = 0; at < text.size(); at += piece) {
    std::string_view rest = text.substr(at, piece);
    do {
      const auto taken = substitution.run(rest, out);
      EXPECT_TRUE(taken.has_value());
      rest.remove_prefix(taken.value_or(rest.size()));
      all += out;
      out.clear();
    } while (!rest.empty());
  }
  while (!substitution.finish(out).value_or(true)) {
    all += out;
    out.clear();
  }
  return all + out;
}

void expect_the_same(const Pairs& pairs, std::string_view text) {
  for (const Times times : {Times::always, Times::once}) {
    const std::string wanted = reference(pairs, times, text);
    for (const std::size_t piece : {1UL, 2UL, 3UL, 5UL, 1000UL}) {
      EXPECT_EQ(substitute(pairs, times, text, piece), wanted)
          << text << " " << piece << (times == Times::once ? " once" : "");
    }
  }
}

TEST(Substitution, ReplacesInAnyLetterCase) {
  EXPECT_EQ(substitute({{"Hello", "bye"}}, Times::always, "hello, HELLO, hell", 4),
            "bye, bye, hell");
  EXPECT_EQ(substitute({{"hello", "bye"}}, Times::once, "HeLLo, hello", 4), "bye, hello");
}

TEST(Substitution, LeavesBytesThatAreNoLettersAsTheyAre) {
  EXPECT_EQ(substitute({{"[\xc3\xa4]", ""}}, Times::always, "{\xc3\xa4}[\xc3\xa4][\xc3\x84]", 1),
            "{\xc3\xa4}[\xc3\x84]");
}

TEST(Substitution, TakesTheMatchThatBeginsFirst) {
  expect_the_same({{"bc", "1"}, {"abcd", "2"}}, "abcd abc bcd xabcx");
}

TEST(Substitution, TakesTheFirstPatternOfThoseThatBeginAtOnePlace) {
  expect_the_same({{"ab", "1"}, {"abcd", "2"}}, "abcd");
  expect_the_same({{"abcd", "1"}, {"ab", "2"}}, "abcd abce ab abc");
}

TEST(Substitution, UsesEqualPatternsOneAfterTheOther) {
  EXPECT_EQ(substitute({{"a", "1"}, {"A", "2"}}, Times::once, "aaaa", 1), "12aa");
}

TEST(Substitution, DoesNotSearchInWhatItHasPut) {
  EXPECT_EQ(substitute({{"a", "aa"}}, Times::always, "aba", 1), "aabaa");
}

TEST(Substitution, GivesOutALittleMoreThanItsRoomAtOnce) {
  const std::string large(10'000, 'x');
  const PatternSet patterns = patterns_of({{"a", ""}});
  Substitution substitution(patterns, Times::always,
                            [&](std::uint32_t) { return std::optional<std::string_view>(large); });
  const std::string text(1000, 'a');
  std::string out;
  std::string_view rest = text;
  std::size_t total = 0;
  while (!rest.empty()) {
    const auto taken = substitution.run(rest, out);
    ASSERT_TRUE(taken.has_value());
    rest.remove_prefix(*taken);
    EXPECT_LE(out.size(), Substitution::kRoom + large.size() + 1);
    total += out.size();
    out.clear();
  }
  EXPECT_EQ(total, text.size() * large.size());
}

TEST(Substitution, StopsWhereAReplacementFails) {
  const PatternSet patterns = patterns_of({{"a", ""}});
  Substitution substitution(patterns, Times::always,
                            [](std::uint32_t) { return std::optional<std::string_view>(); });
  std::string out;
  EXPECT_FALSE(substitution.run("xa", out).has_value());
}

TEST(Substitution, DoesWhatTheReferenceDoes) {
  std::mt19937 random(20261127);  // NOLINT: the same at each run
  const auto text_of = [&](std::size_t most, std::string_view letters, std::size_t least) {
    std::string text(least + random() % (most - least + 1), '\0');
    for (char& c : text) c = letters[random() % letters.size()];
    return text;
  };
  for (int i = 0; i < 300; ++i) {
    Pairs pairs;
    const std::size_t count = 1 + random() % 4;
    for (std::size_t n = 0; n < count; ++n) {
      pairs.emplace_back(text_of(5, "abA", 1), text_of(3, "xab", 0));
    }
    expect_the_same(pairs, text_of(40, "aabBc", 0));
  }
}

TEST(Substitution, HoldsBackLessThanTheLongestPattern) {
  const std::string pattern = std::string(1000, 'a') + "b";
  const PatternSet patterns = patterns_of({{pattern, ""}});
  Substitution substitution(patterns, Times::always,
                            [](std::uint32_t) { return std::optional<std::string_view>(""); });
  const std::string text(50'000, 'a');
  std::string out;
  ASSERT_EQ(substitution.run(text, out), text.size());
  EXPECT_EQ(out.size(), text.size() - 1000);
}

}  // namespace
}  // namespace filter
