#include <gtest/gtest.h>

#include "route/name_table.h"
#include "route/route_table.h"

namespace route {
namespace {

using Kind = Location::Kind;

script::Pattern pattern(std::string_view text) {
  script::Variables variables;
  config::Diagnostics diagnostics;
  return *script::Pattern::compile(text, base::Regex::Case::sensitive, {}, variables, diagnostics);
}

std::unique_ptr<Location> location(Kind kind, std::string name) {
  auto made = std::make_unique<Location>();
  made->kind = kind;
  if (kind == Kind::regex) {
    made->pattern = pattern(name);
  }
  made->name = std::move(name);
  return made;
}

std::string matched(const RouteTable& table, std::string_view path) {
  base::Captures captures;
  const auto match = table.match(path, captures, {});
  if (!match || match->location == nullptr) return "-";
  return match->location->name + (match->redirect_to_slash ? " (redirect)" : "");
}

TEST(RouteTable, FollowsTheExampleOfNginxsDocumentation) {
  RouteTable table;
  EXPECT_TRUE(table.add(location(Kind::exact, "/")));
  EXPECT_TRUE(table.add(location(Kind::prefix, "/")));
  EXPECT_TRUE(table.add(location(Kind::prefix, "/documents/")));
  EXPECT_TRUE(table.add(location(Kind::prefix_final, "/images/")));
  EXPECT_TRUE(table.add(location(Kind::regex, "\\.(gif|jpg|jpeg)$")));
  EXPECT_FALSE(table.add(location(Kind::prefix, "/images/")));
  base::Captures captures;
  EXPECT_EQ(table.match("/", captures, {})->location->kind, Kind::exact);
  EXPECT_EQ(matched(table, "/index.html"), "/");
  EXPECT_EQ(matched(table, "/documents/document.html"), "/documents/");
  EXPECT_EQ(matched(table, "/images/1.gif"), "/images/");
  EXPECT_EQ(matched(table, "/documents/1.jpg"), "\\.(gif|jpg|jpeg)$");
}

TEST(RouteTable, TriesRegularExpressionsInTheOrderOfTheFile) {
  RouteTable table;
  EXPECT_TRUE(table.add(location(Kind::regex, "^/a")));
  EXPECT_TRUE(table.add(location(Kind::regex, "^/ab(.*)")));
  EXPECT_EQ(matched(table, "/abc"), "^/a");
}

TEST(RouteTable, SearchesNestedLocationsBeforeOuterRegularExpressions) {
  RouteTable table;
  auto outer = location(Kind::prefix, "/app/");
  outer->nested = std::make_unique<RouteTable>();
  EXPECT_TRUE(outer->nested->add(location(Kind::regex, "\\.png$")));
  EXPECT_TRUE(outer->nested->add(location(Kind::prefix, "/app/static/")));
  EXPECT_TRUE(table.add(std::move(outer)));
  EXPECT_TRUE(table.add(location(Kind::regex, "\\.css$")));
  EXPECT_EQ(matched(table, "/app/static/a.png"), "\\.png$");
  EXPECT_EQ(matched(table, "/app/static/a.css"), "\\.css$");
  EXPECT_EQ(matched(table, "/app/static/a.js"), "/app/static/");
}

TEST(RouteTable, RedirectsTheNameWithoutItsSlash) {
  RouteTable table;
  auto app = location(Kind::prefix, "/app/");
  app->redirect_without_slash = true;
  EXPECT_TRUE(table.add(std::move(app)));
  EXPECT_TRUE(table.add(location(Kind::prefix, "/")));
  EXPECT_EQ(matched(table, "/app"), "/app/ (redirect)");
  EXPECT_EQ(matched(table, "/app/x"), "/app/");
  EXPECT_EQ(matched(table, "/ap"), "/");
}

TEST(PrefixTree, AgreesWithASlowSearchOnManyPrefixes) {
  std::vector<std::string> prefixes;
  for (const char* a : {"/", "/a", "/ab", "/abc/", "/b/c", "/b/cd", "/b/ce/f"})
    prefixes.emplace_back(a);
  PrefixTree tree;
  for (std::size_t i = 0; i < prefixes.size(); ++i) EXPECT_TRUE(tree.add(prefixes[i], i));
  for (const std::string path :
       {"/", "/a", "/abd", "/abc", "/abc/d", "/b/c", "/b/cx", "/b/ce", "x", ""}) {
    std::optional<std::size_t> slow;
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
      if (path.starts_with(prefixes[i]) && (!slow || prefixes[i].size() > prefixes[*slow].size()))
        slow = i;
    }
    EXPECT_EQ(tree.longest(path), slow) << path;
  }
}

TEST(NameTable, PrefersExactThenLongestWildcardsThenPatterns) {
  NameTable names;
  using Added = NameTable::Added;
  EXPECT_EQ(names.add("Example.com", 1), Added::ok);
  EXPECT_EQ(names.add("*.example.com", 2), Added::ok);
  EXPECT_EQ(names.add("*.deep.example.com", 3), Added::ok);
  EXPECT_EQ(names.add("mail.*", 4), Added::ok);
  EXPECT_EQ(names.add(".dotted.org", 5), Added::ok);
  EXPECT_EQ(names.add("a*b.com", 6), Added::invalid);
  EXPECT_EQ(names.add("example.com", 7), Added::duplicate);
  names.add(pattern("^www\\d+\\."), 8);
  const auto find = [&](std::string_view host) {
    base::Captures captures;
    const auto found = names.find(host, captures, {});
    return found ? static_cast<int>(found->value) : -1;
  };
  EXPECT_EQ(find("example.com"), 1);
  EXPECT_EQ(find("a.example.com"), 2);
  EXPECT_EQ(find("a.b.example.com"), 2);
  EXPECT_EQ(find("a.deep.example.com"), 3);
  EXPECT_EQ(find("mail.example.com"), 2);
  EXPECT_EQ(find("mail.other.net"), 4);
  EXPECT_EQ(find("dotted.org"), 5);
  EXPECT_EQ(find("x.dotted.org"), 5);
  EXPECT_EQ(find("www12.net"), 8);
  EXPECT_EQ(find("net"), -1);
  EXPECT_EQ(find(".example.com"), 2);  // as in nginx
}

}  // namespace
}  // namespace route
