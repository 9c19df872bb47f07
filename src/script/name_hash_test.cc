#include "script/name_hash.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <random>
#include <string>
#include <vector>

#include "base/text.h"

namespace script {
namespace {

using Added = NameHash::Added;

TEST(CaselessTable, FindsWhatWasAddedInAnyLetterCase) {
  CaselessTable table;
  EXPECT_EQ(table.find("a"), std::nullopt);
  EXPECT_TRUE(table.add("Alpha", 1));
  EXPECT_TRUE(table.add("", 2));
  EXPECT_EQ(table.find("aLPHA"), 1U);
  EXPECT_EQ(table.find(""), 2U);
  EXPECT_EQ(table.find("alph"), std::nullopt);
}

TEST(CaselessTable, KeepsTheFirstOfTwo) {
  CaselessTable table;
  EXPECT_TRUE(table.add("alpha", 1));
  EXPECT_FALSE(table.add("ALPHA", 2));
  EXPECT_EQ(table.find("alpha"), 1U);
}

TEST(CaselessTable, FindsAllOfManyKeys) {
  CaselessTable table;
  for (std::uint32_t i = 0; i < 5000; ++i) ASSERT_TRUE(table.add("key" + std::to_string(i), i));
  for (std::uint32_t i = 0; i < 5000; ++i) EXPECT_EQ(table.find("KEY" + std::to_string(i)), i);
  EXPECT_EQ(table.find("key5000"), std::nullopt);
  EXPECT_EQ(table.size(), 5000U);
}

TEST(NameHash, PrefersTheExactNameThenTheLongestWildcard) {
  NameHash names;
  EXPECT_EQ(names.add("*.com", 1), Added::ok);
  EXPECT_EQ(names.add("*.example.com", 2), Added::ok);
  EXPECT_EQ(names.add("www.example.com", 3), Added::ok);
  EXPECT_EQ(names.add("www.*", 4), Added::ok);
  EXPECT_EQ(names.add("www.example.*", 5), Added::ok);
  EXPECT_EQ(names.add(".dot.org", 6), Added::ok);
  EXPECT_EQ(names.find("WWW.example.com"), 3U);
  EXPECT_EQ(names.find("a.b.example.com"), 2U);
  EXPECT_EQ(names.find("example.com"), 1U);
  EXPECT_EQ(names.find("www.example.org"), 5U);
  EXPECT_EQ(names.find("www.other.org"), 4U);
  EXPECT_EQ(names.find("dot.org"), 6U);
  EXPECT_EQ(names.find("a.dot.org"), 6U);
  EXPECT_EQ(names.find("com"), std::nullopt);
  EXPECT_EQ(names.find(".com"), 1U);  // as in nginx
  EXPECT_EQ(names.find("www."), 4U);
  EXPECT_EQ(names.find(""), std::nullopt);
}

TEST(NameHash, RefusesStarsElsewhere) {
  NameHash names;
  for (const std::string_view name :
       {"*", "*.", "a*", "a.*.b", "*.*", "*a.b", "a..b", "*..b", "a.b*"}) {
    EXPECT_EQ(names.add(name, 1), Added::invalid) << name;
  }
  EXPECT_EQ(names.add(std::string_view("a\0b", 3), 1), Added::invalid);
  EXPECT_TRUE(names.empty());
}

TEST(NameHash, TakesAnyTextWhereNoWildcardIsMeant) {
  NameHash names;
  EXPECT_EQ(names.add_exact("*.a..b", 1), Added::ok);
  EXPECT_EQ(names.find("*.A..B"), 1U);
  EXPECT_EQ(names.find("x.a..b"), std::nullopt);
}

// --- against a slow reading of nginx's documentation

struct Slow {
  struct Entry {
    std::string name;  // lower case
    std::uint32_t value;
  };
  std::vector<Entry> entries;

  std::optional<std::uint32_t> find(std::string_view host) const {
    std::optional<std::uint32_t> found;
    for (const Entry& entry : entries) {
      const std::string_view name = entry.name;
      if (name == host || (name.starts_with('.') && name.substr(1) == host)) return entry.value;
    }
    std::size_t longest = 0;
    for (const Entry& entry : entries) {
      std::string_view end = entry.name;
      if (end.starts_with('*')) end.remove_prefix(1);
      if (!end.starts_with('.') || !host.ends_with(end)) continue;
      if (end.size() > longest) found = entry.value;
      longest = std::max(longest, end.size());
    }
    if (found) return found;
    for (const Entry& entry : entries) {
      if (!entry.name.ends_with(".*")) continue;
      const auto begin = std::string_view(entry.name).substr(0, entry.name.size() - 1);
      if (!host.starts_with(begin)) continue;
      if (begin.size() > longest) found = entry.value;
      longest = std::max(longest, begin.size());
    }
    return found;
  }
};

std::string any_name(std::mt19937& random) {
  constexpr std::array<std::string_view, 4> kLabels{"a", "B", "ab", "c-1"};
  std::string name;
  for (std::size_t i = 1 + random() % 4; i > 0; --i) {
    if (!name.empty()) name += '.';
    name += kLabels[random() % kLabels.size()];
  }
  return name;
}

std::string bare(std::string_view name) {
  if (name.starts_with('*')) name.remove_prefix(1);
  return std::string(name.starts_with('.') ? name.substr(1) : name);
}

TEST(NameHash, AgreesWithASlowLookUp) {
  std::mt19937 random(7);
  for (int table = 0; table < 200; ++table) {
    NameHash names;
    Slow slow;
    for (std::uint32_t i = 0; i < 12; ++i) {
      const std::string plain = any_name(random);
      const std::array<std::string, 4> forms{plain, "*." + plain, "." + plain, plain + ".*"};
      const std::string& name = forms[random() % forms.size()];
      // A dotted form adds two names and may add one of them; such tables are not compared.
      const bool known = std::ranges::any_of(slow.entries, [&](const Slow::Entry& entry) {
        return bare(entry.name) == bare(base::lower(name));
      });
      if (known) continue;
      ASSERT_EQ(names.add(name, i), Added::ok);
      slow.entries.push_back({base::lower(name), i});
    }
    for (int i = 0; i < 50; ++i) {
      constexpr std::array<std::string_view, 4> kEdges{"", "", "", "."};
      const std::string host =
          std::string(kEdges[random() % 4]) + any_name(random) + std::string(kEdges[random() % 4]);
      EXPECT_EQ(names.find(host), slow.find(base::lower(host))) << host;
    }
  }
}

}  // namespace
}  // namespace script
