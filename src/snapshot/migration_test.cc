#include "snapshot/migration.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>
#include <string>
#include <vector>

#include "config/memory_files.h"
#include "config/parser.h"
#include "snapshot/features.h"

namespace snapshot {
namespace {

using ::testing::Contains;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::StartsWith;

config::Tree tree_of(const std::string& text) {
  config::MemoryFiles files;
  config::Diagnostics diagnostics;
  config::Tree tree;
  config::parse_text("t.conf", text, files, diagnostics, tree);
  EXPECT_FALSE(diagnostics.has_errors()) << diagnostics.render();
  return tree;
}

std::vector<std::string> touched_by(const std::string& text) {
  std::vector<std::string> whats;
  for (const Touched& each : differences_of(tree_of(text))) {
    whats.emplace_back(each.difference->what);
  }
  return whats;
}

TEST(WithoutEffect, ListsEachWithItsLineAndWhy) {
  const config::Tree tree = tree_of(
      "http {\n server_names_hash_max_size 512;\n proxy_cache off;\n server {\n location / {\n"
      " aio threads; root /x;\n } } }");
  const config::Vocabulary vocabulary(features(), unsupported_directives());
  const auto found = without_effect(tree, vocabulary);
  ASSERT_EQ(found.size(), 3U);
  EXPECT_EQ(found[0].name, "server_names_hash_max_size");
  EXPECT_EQ(found[0].at.line, 2U);
  EXPECT_EQ(found[0].why, "tables grow by themselves.");
  EXPECT_EQ(found[1].name, "proxy_cache");
  EXPECT_EQ(found[1].why, "not supported yet");
  EXPECT_EQ(found[2].at.line, 6U);
}

TEST(WithoutEffect, SaysWhyOfEveryDirective) {
  const config::Vocabulary vocabulary(features(), unsupported_directives());
  for (const config::DirectiveSpec* spec : vocabulary.reference()) {
    if (!spec->documentation.starts_with("For nginx's files")) continue;
    EXPECT_TRUE(spec->documentation.find(": ") != std::string_view::npos) << spec->name;
  }
}

TEST(Differences, OfBackendsOverTlsGoAwayWithNginxsWay) {
  constexpr std::string_view kWhat = "backends over `https://`";
  const auto with = [](const std::string& extra) {
    return touched_by("http { " + extra + " server { location / { proxy_pass https://b; } } }");
  };
  EXPECT_THAT(with(""), Contains(kWhat));
  EXPECT_THAT(with("proxy_ssl_verify off;"), Not(Contains(kWhat)));
  EXPECT_THAT(with("proxy_ssl_verify off;"),
              Not(Contains(StartsWith("chains of backends' certificates"))));
  EXPECT_THAT(touched_by("http { server { location / { proxy_pass http://b; } } }"),
              Not(Contains(kWhat)));
}

TEST(Differences, AreToldWithEveryPlace) {
  const config::Tree tree = tree_of(
      "server { location / { proxy_pass https://a; }\n location /b { proxy_pass https://b; } }");
  for (const Touched& each : differences_of(tree)) {
    if (each.difference->what != "backends over `https://`") continue;
    ASSERT_EQ(each.places.size(), 2U);
    EXPECT_EQ(each.places[1].line, 2U);
  }
}

TEST(Differences, WithAStarGoAwayUnderCompat) {
  const std::string servers =
      "http { server { listen 1 ssl; location / { proxy_pass http://b; } } }";
  EXPECT_THAT(touched_by(servers), Contains("`server_tokens`"));
  EXPECT_THAT(touched_by("compat nginx; " + servers), Not(Contains("`server_tokens`")));
  EXPECT_THAT(touched_by("compat nginx; " + servers), Contains("protocol"));
}

TEST(Differences, OfTlsAreThoseOfServersThatSpeakIt) {
  EXPECT_THAT(touched_by("server { listen 1 ssl; }"), Contains("TLS versions and ciphers"));
  EXPECT_THAT(touched_by("server { listen 1; }"), Not(Contains("TLS versions and ciphers")));
  EXPECT_THAT(touched_by("ssl_protocols TLSv1.2; ssl_ciphers X; server { listen 1 ssl; }"),
              Not(Contains("TLS versions and ciphers")));
}

TEST(Differences, OfNamesAreNotThoseOfGroups) {
  constexpr std::string_view kWhat =
      "names of backends (`proxy_pass http://app.example`, `server app.example;`)";
  EXPECT_THAT(touched_by("server { location / { proxy_pass http://app:80/x; } }"), Contains(kWhat));
  EXPECT_THAT(touched_by("upstream App { server 10.0.0.1; } server { location / { proxy_pass "
                         "http://app; } }"),
              Not(Contains(kWhat)));
  EXPECT_THAT(touched_by("server { location / { proxy_pass http://[::1]:80; } }"),
              Not(Contains(kWhat)));
}

TEST(Differences, NameDirectivesThatExist) {
  std::set<std::string_view> known;
  for (const config::Feature& feature : features()) {
    for (const config::DirectiveSpec& spec : feature.directives) known.insert(spec.name);
  }
  for (const NginxDifference& each : nginx_differences()) {
    EXPECT_FALSE(each.directives.front().empty()) << each.what;
    for (const std::string_view name : each.directives) {
      EXPECT_TRUE(name.empty() || known.contains(name)) << name;
    }
    for (const std::string_view name : each.settled_by) {
      EXPECT_TRUE(name.empty() || known.contains(name)) << name;
    }
    EXPECT_NE(each.touches, nullptr) << each.what;
  }
}

TEST(Differences, OfAnEmptyFileAreNone) { EXPECT_THAT(touched_by("events { }"), IsEmpty()); }

}  // namespace
}  // namespace snapshot
