// root, alias and index, and where a request's file lies.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/testing/loaded.h"
#include "content/file_path.h"
#include "content/static_directives.h"
#include "script/variables.h"

namespace content {
namespace {

using base::ErrorCode;
using http::EncodedSlash;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class Static : public ::testing::Test, protected config::testing::Loaded {
 protected:
  Static() : Loaded(kStaticFeature) {}

  /// The plan of a location that says `directives`; null if it has none.
  const StaticPlan* load(const std::string& directives, StaticSurroundings::Location of = {},
                         bool compat = false) {
    interpret("http { server { location / { " + directives + " } } }");
    location = of;
    const StaticSurroundings around{.variables = variables,
                                    .diagnostics = diagnostics_,
                                    .compat_nginx = compat,
                                    .default_root = "/nginx/html",
                                    .location_of = [](const config::Level&) { return location; }};
    config::Level& level = *server().children()[0];
    provision_static(http(), around);
    provision_static(server(), around);
    provision_static(level, around);
    variables.finish(diagnostics_);
    return level.find<StaticPlan>();
  }
  base::Result<FilePath> path(const StaticPlan& plan, std::string_view uri,
                              EncodedSlash encoded_slash = EncodedSlash::keep) {
    exchange.uri = uri;
    return find_path(plan, exchange, encoded_slash);
  }
  // "DIRECTORY BELOW SHOWN"
  std::string of(const StaticPlan& plan, std::string_view uri) {
    const auto found = path(plan, uri);
    if (!found) return std::string(base::name_of(found.error().code));
    EXPECT_EQ(*(found->directory.data() + found->directory.size()), '\0');
    EXPECT_EQ(*(found->below.data() + found->below.size()), '\0');
    return std::string(found->directory) + " " + std::string(found->below) + " " +
           std::string(found->shown);
  }

  static inline StaticSurroundings::Location location;
  script::Variables variables;
  base::Arena arena;
  exchange::Connection connection;
  exchange::Exchange exchange{connection, arena};
};

TEST_F(Static, ARootIsFollowedByTheWholePath) {
  const StaticPlan* plan = load("root /srv/www/;");
  ASSERT_THAT(messages(), IsEmpty());
  EXPECT_EQ(of(*plan, "/a/b.css"), "/srv/www a/b.css /srv/www/a/b.css");
  EXPECT_EQ(of(*plan, "/"), "/srv/www . /srv/www/");
  EXPECT_EQ(of(*plan, "/a/"), "/srv/www a/ /srv/www/a/");
}

TEST_F(Static, TheRootOfEverything) {
  EXPECT_EQ(of(*load("root /;"), "/etc/motd"), "/ etc/motd /etc/motd");
}

TEST_F(Static, ARelativeRootBeginsAtThePrefix) {
  const StaticPlan* plan = load("root html;");
  EXPECT_THAT(of(*plan, "/a"), HasSubstr("/html/a"));
  EXPECT_TRUE(of(*plan, "/a").starts_with('/'));
}

TEST_F(Static, AnAliasStandsForTheLocation) {
  const StaticPlan* plan = load("alias /srv/img/;", {.name_size = 3});
  EXPECT_EQ(of(*plan, "/i/x.png"), "/srv/img/ x.png /srv/img/x.png");
  EXPECT_EQ(of(*plan, "/i/"), "/srv/img/ . /srv/img/");
}

TEST_F(Static, AnAliasMayBeAFile) {
  const StaticPlan* plan = load("alias /srv/robots.txt;", {.name_size = 11});
  EXPECT_EQ(of(*plan, "/robots.txt"), "/srv/ robots.txt /srv/robots.txt");
}

TEST_F(Static, AnAliasIsNotLeftByADotSegment) {
  const StaticPlan* plan = load("alias /srv/img/;", {.name_size = 2});  // location /i
  EXPECT_EQ(of(*plan, "/i../key"), "not_permitted");
  EXPECT_EQ(of(*plan, "/i.."), "not_permitted");
  EXPECT_EQ(of(*plan, "/i/x"), "/srv/img/ x /srv/img//x");
  EXPECT_EQ(of(*plan, "/i..x"), "/srv/img/ ..x /srv/img/..x");
}

TEST_F(Static, AnAliasOfARegularExpressionIsTheFileItself) {
  const StaticPlan* plan = load("alias /srv/u/$1;", {.name_size = 9, .regex = true});
  exchange.captures.count = 2;
  exchange.captures.groups[1] = "ann/x.png";
  EXPECT_EQ(of(*plan, "/u/ann/x.png"), "/srv/u/ ann/x.png /srv/u/ann/x.png");
  exchange.captures.groups[1] = "../etc/passwd";
  EXPECT_EQ(of(*plan, "/u/whatever"), "not_permitted");
}

TEST_F(Static, ValuesOfVariablesDoNotLeaveTheRoot) {
  const StaticPlan* plan = load("root /srv/$arg_site/htdocs;");
  exchange.args = "site=a.test";
  EXPECT_EQ(of(*plan, "/x"), "/srv/a.test/htdocs x /srv/a.test/htdocs/x");
  exchange.args = "site=..";
  EXPECT_EQ(of(*plan, "/x"), "not_permitted");
  exchange.args = "site=a/../../etc";
  EXPECT_EQ(of(*plan, "/x"), "not_permitted");
}

TEST_F(Static, NamesAreWhatTheirUriMeans) {
  const StaticPlan* plan = load("root /srv;");
  EXPECT_EQ(of(*plan, "/a%2Fb"), "not_found") << "no name has a slash in it";
  EXPECT_EQ(of(*plan, "/a%252Fb"), "/srv a%2Fb /srv/a%2Fb");
  EXPECT_EQ(of(*plan, "/100%.txt"), "/srv 100%.txt /srv/100%.txt");
  EXPECT_EQ(path(*plan, "/a%2Fb", EncodedSlash::decode)->below, "a%2Fb");
}

TEST_F(Static, AnIndexIsBelowItsDirectory) {
  const StaticPlan* plan = load("root /srv; index a.html b/c.html;");
  const auto directory = path(*plan, "/d/");
  EXPECT_EQ(path_in(*directory, "a.html", arena)->below, "d/a.html");
  EXPECT_EQ(path_in(*directory, "a.html", arena)->shown, "/srv/d/a.html");
  EXPECT_EQ(path_in(*path(*plan, "/"), "a.html", arena)->below, "a.html");
  EXPECT_EQ(path_in(*directory, "../a", arena).error().code, ErrorCode::not_permitted);
  EXPECT_EQ(plan->index.size(), 2U);
}

TEST_F(Static, NothingIsServedUnlessItWasSaid) { EXPECT_EQ(load("index a.html;"), nullptr); }

TEST_F(Static, CompatNginxServesItsHtml) {
  const StaticPlan* plan = load("", {}, true);
  EXPECT_EQ(of(*plan, "/x"), "/nginx/html x /nginx/html/x");
  EXPECT_EQ(plan->index.size(), 1U);
  EXPECT_EQ(plan->links.follow, FollowSymlinks::anywhere);
  EXPECT_EQ(plan->max_ranges, StaticOptions::kMost);
  EXPECT_FALSE(plan->sendfile);
}

TEST_F(Static, DefaultsAreSafe) {
  const StaticPlan* plan = load("root /srv;");
  EXPECT_EQ(plan->links.follow, FollowSymlinks::inside);
  EXPECT_EQ(plan->max_ranges, 32U);
  EXPECT_TRUE(plan->sendfile);
}

TEST_F(Static, ABlockHasOneRootOrOneAlias) {
  load("root /a; alias /b;");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("\"alias\" directive is duplicate, \"root\" "
                                                "directive was specified earlier")));
}

TEST_F(Static, AnAliasIsNotForNamedLocations) {
  load("alias /b;", {.named = true});
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("cannot be used inside the named location")));
}

TEST_F(Static, TypesOfOneLevelAddUpAndReplaceThoseAround) {
  interpret(
      "http { types { text/html html; text/x a; } types { text/y b; } "
      "server { location / { types { text/z c; } } } }");
  const config::Level& location = *server().children()[0];
  EXPECT_EQ(media_type(server(), "/x.html"), "text/html");
  EXPECT_EQ(media_type(server(), "/x.b"), "text/y");
  EXPECT_EQ(media_type(server(), "/x.jpg"), "") << "a table of one's own has no defaults";
  EXPECT_EQ(media_type(location, "/x.c"), "text/z");
  EXPECT_EQ(media_type(location, "/x.html"), "");
}

TEST_F(Static, MistakesAreTold) {
  load("index /a b ''; root ''; types { text/html; text/x a a; }");
  EXPECT_THAT(messages(),
              ::testing::UnorderedElementsAre(
                  HasSubstr("only the last index in \"index\" directive should be absolute"),
                  HasSubstr("index \"\" in \"index\" directive is invalid"),
                  HasSubstr("invalid value \"\" in \"root\" directive"),
                  HasSubstr("invalid line in \"types\""),
                  HasSubstr("duplicate extension \"a\", content type: \"text/x\"")));
}

}  // namespace
}  // namespace content
