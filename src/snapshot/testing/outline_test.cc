// Outlines and their differences, from configuration texts.
#include "snapshot/outline.h"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/check.h"
#include "config/memory_files.h"
#include "snapshot/canonical.h"
#include "snapshot/difference.h"
#include "snapshot/snapshot.h"
#include "tls/testing/certificates.h"

namespace snapshot {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

using Files = std::vector<std::pair<std::string, std::string>>;

std::shared_ptr<const Snapshot> snapshot_of(std::string_view text, const Files& more = {}) {
  config::MemoryFiles files;
  files.add("/etc/sallyport.conf", text);
  for (const auto& [name, content] : more) files.add(name, content);
  config::Diagnostics diagnostics;
  LoadOptions options;
  options.file = "/etc/sallyport.conf";
  options.prefix = "/prefix/";
  auto snapshot = load(options, files, diagnostics);
  if (snapshot == nullptr) ADD_FAILURE() << diagnostics.render();
  CHECK(snapshot != nullptr);
  return snapshot;
}

Outline outline_of(std::string_view text, const Files& more = {}) {
  return outline(*snapshot_of(text, more));
}

std::vector<std::string> settings_of(const Outline& outline, std::string_view key) {
  std::vector<std::string> texts;
  for (const Item& item : outline.items) {
    if (item.key != key) continue;
    for (const std::uint32_t number : item.settings) texts.push_back(outline.texts[number]);
  }
  return texts;
}

std::vector<std::string> keys_of(const Outline& outline) {
  std::vector<std::string> keys;
  for (const Item& item : outline.items) keys.push_back(item.key);
  return keys;
}

std::string server(std::string_view inside) {
  return fmt::format("server {{ listen 127.0.0.1:8000; server_name a; {} }}", inside);
}

Difference between(std::string_view before, std::string_view after) {
  return difference(outline_of(before), outline_of(after));
}

TEST(Outline, NamesEverythingThatIsConfigured) {
  const Outline outline = outline_of(
      "worker_processes 2; events {} http { upstream u { server 10.0.0.1; } "
      "server { listen 127.0.0.1:8000; listen [::1]:8000; server_name a b; "
      "location / { location = /x { return 200; } } location ~* \\.php$ { return 204; } } }");
  const std::string key = "127.0.0.1:8000, [::1]:8000 a";
  EXPECT_THAT(keys_of(outline),
              ElementsAre("events", "http", "main", "127.0.0.1:8000", "[::1]:8000", "u", key,
                          key + ": /", key + ": / > = /x", key + ": ~* \\.php$"));
}

TEST(Outline, ShowsWhatIsInEffectAndNotWhereItStands) {
  const std::string outside = "proxy_read_timeout 5m; proxy_set_header A 1; proxy_set_header B 2;";
  const std::string location = "location / { proxy_pass http://10.0.0.1; ";
  EXPECT_THAT(settings_of(outline_of("http { " + outside + server(location + "}") + "}"),
                          "127.0.0.1:8000 a: /"),
              ElementsAre("proxy_pass http://10.0.0.1", "proxy_read_timeout 5m",
                          "proxy_set_header A 1", "proxy_set_header B 2"));
  EXPECT_EQ(settings_of(outline_of("http { " + outside + server(location + "}") + "}"),
                        "127.0.0.1:8000 a: /"),
            settings_of(outline_of("http { " + server(location + outside + "}") + "}"),
                        "127.0.0.1:8000 a: /"));
}

TEST(Outline, ReplacesAListAsAWholeAtAnInnerLevel) {
  const Outline outline = outline_of("http { add_header A 1; add_header B 2; " +
                                     server("location / { add_header C 3; }") + "}");
  EXPECT_THAT(settings_of(outline, "127.0.0.1:8000 a: /"), ElementsAre("add_header C 3"));
}

TEST(Outline, ARootAndAnAliasReplaceEachOther) {
  const Outline outline = outline_of(
      server("root /a; location /x { alias /b; location /x/y { } location /x/z { root /c; } }"));
  const std::string key = "127.0.0.1:8000 a: /x";
  EXPECT_THAT(settings_of(outline, key), ElementsAre("alias /b"));
  EXPECT_THAT(settings_of(outline, key + " > /x/y"), ElementsAre("alias /b"));
  EXPECT_THAT(settings_of(outline, key + " > /x/z"), ElementsAre("root /c"));
}

TEST(Outline, LeavesOutWhatHoldsAnyway) {
  EXPECT_TRUE(between(server("location / { return 204; }"),
                      server("proxy_read_timeout 60s; location / { return 204; }"))
                  .empty());
  // At an inner level it says something, against the outer one.
  EXPECT_FALSE(
      between("http { proxy_buffering off; " + server("location / { }") + "}",
              "http { proxy_buffering off; " + server("location / { proxy_buffering on; }") + "}")
          .empty());
  // Under compat nginx another default holds.
  EXPECT_FALSE(between("compat nginx; http { access_log off; " + server("") + "}",
                       "compat nginx; http { access_log off; " + server("server_tokens off;") + "}")
                   .empty());
}

TEST(Outline, DoesNotInheritWhatBelongsToABlock) {
  const Outline outline =
      outline_of(server("return 301 /x; location / { proxy_pass http://10.0.0.1; location /a { "
                        "proxy_read_timeout 7s; } }"));
  EXPECT_THAT(settings_of(outline, "127.0.0.1:8000 a: /"),
              ElementsAre("proxy_pass http://10.0.0.1"));
  EXPECT_THAT(settings_of(outline, "127.0.0.1:8000 a: / > /a"),
              ElementsAre("proxy_read_timeout 7s"));
}

TEST(Difference, IsNothingWhenOnlyTheLayoutChanged) {
  EXPECT_TRUE(difference(outline_of("# one\n http { " +
                                    server("location =/x { return 200 \"a\"; "
                                           "proxy_read_timeout 120s; }") +
                                    "}"),
                         outline_of("http {\n include servers/*.conf; }",
                                    {{"/etc/servers/a.conf",
                                      server("\n location = '/x' { proxy_read_timeout 2m;\n "
                                             "return 200 'a'; } # two\n")}}))
                  .empty());
}

TEST(Difference, TellsWhatWasAddedRemovedAndChanged) {
  const Difference found =
      between("http { upstream u { server 10.0.0.1; server 10.0.0.2; } " +
                  server("location / { proxy_pass http://u; } location /old { return 404; }") + "}",
              "http { upstream u { server 10.0.0.1; server 10.0.0.3; } " +
                  server("location / { proxy_pass http://u; proxy_read_timeout 7s; }") +
                  " server { listen 127.0.0.1:8000; server_name b; } }");
  EXPECT_EQ(summary(found),
            "servers: 1 added; locations: 1 removed, 1 changed; upstreams: 1 changed");
  ASSERT_EQ(found.changes.size(), 4U);
  EXPECT_EQ(found.changes[0].key, "u");
  EXPECT_THAT(found.changes[0].before, ElementsAre("server 10.0.0.2"));
  EXPECT_THAT(found.changes[0].after, ElementsAre("server 10.0.0.3"));
  EXPECT_EQ(found.changes[2].key, "127.0.0.1:8000 a: /");
  EXPECT_THAT(found.changes[2].before, IsEmpty());
  EXPECT_THAT(found.changes[2].after, ElementsAre("proxy_read_timeout 7s"));
}

TEST(Difference, SeesAnOrderThatCounts) {
  const std::string one = "location ~ a { return 200; }";
  const std::string two = "location ~ b { return 201; }";
  EXPECT_EQ(summary(between(server(one + two), server(two + one))), "servers: 1 changed");
  EXPECT_EQ(summary(between(server(one + "location /x { }"), server("location /x { }" + one))),
            "nothing changed");
  const Difference set = between(server("set_real_ip_from 10.0.0.1; set_real_ip_from 10.0.0.2;"),
                                 server("set_real_ip_from 10.0.0.2; set_real_ip_from 10.0.0.1;"));
  ASSERT_EQ(set.changes.size(), 1U);
  EXPECT_TRUE(set.changes.front().reordered);
}

TEST(Difference, SeesTheDefaultServerMove) {
  const auto two = [](std::string_view first, std::string_view second) {
    return fmt::format(
        "server {{ listen 127.0.0.1:80; server_name {}; }} server {{ listen 127.0.0.1:80; "
        "server_name {}; }}",
        first, second);
  };
  EXPECT_EQ(summary(between(two("a", "b"), two("b", "a"))), "listeners: 1 changed");
}

TEST(Difference, SeesTheContentOfACertificateAndNeverItsKey) {
  const tls::testing::Issued one = tls::testing::issue();
  const tls::testing::Issued other = tls::testing::issue();
  const std::string text =
      "server { listen 127.0.0.1:443 ssl; ssl_certificate a.pem; ssl_certificate_key a.key; }";
  const Outline before =
      outline_of(text, {{"/etc/a.pem", one.certificate}, {"/etc/a.key", one.private_key}});
  const Outline after =
      outline_of(text, {{"/etc/a.pem", other.certificate}, {"/etc/a.key", other.private_key}});
  EXPECT_EQ(summary(difference(before, after)), "certificates: 1 changed");
  EXPECT_THAT(to_json(before), Not(HasSubstr("PRIVATE KEY")));
}

TEST(Difference, ShowsNoCredentialsAndStillSeesThemChange) {
  const auto with = [](std::string_view secret) {
    return server(fmt::format(
        "location / {{ proxy_pass http://10.0.0.1; proxy_set_header Authorization \"{}\"; }}",
        secret));
  };
  EXPECT_THAT(to_json(outline_of(with("Basic c2VjcmV0"))), Not(HasSubstr("c2VjcmV0")));
  const Difference found = between(with("Basic c2VjcmV0"), with("Basic b3RoZXI="));
  ASSERT_EQ(found.changes.size(), 1U);
  EXPECT_THAT(found.changes.front().after, ElementsAre("proxy_set_header Authorization (hidden)"));
  EXPECT_THAT(settings_of(outline_of(with("$http_authorization")), "127.0.0.1:8000 a: /"),
              ::testing::Contains("proxy_set_header Authorization $http_authorization"));
}

TEST(Outline, SurvivesItsJson) {
  const Outline one = outline_of(server("location / { return 200 \"a b\"; }"));
  const auto two = parse_outline(to_json(one));
  ASSERT_TRUE(two) << two.error();
  EXPECT_TRUE(difference(one, *two).empty());
  EXPECT_EQ(two->items.size(), one.items.size());
}

TEST(Outline, RefusesJsonThatIsNoOutline) {
  for (const std::string_view text :
       {"", "[]", "{}", R"({"texts":[],"items":[["server","a",[0]]]})",
        R"({"texts":["x"],"items":[["planet","a",[0]]]})",
        R"({"texts":["x"],"items":[["server","b",[]],["server","a",[]]]})",
        R"({"texts":[1],"items":[]})", R"({"texts":["x"],"items":[["server","a",[-1]]]})"}) {
    EXPECT_FALSE(parse_outline(text)) << text;
  }
  EXPECT_EQ(parse_outline(R"({"error":"unknown command"})").error(), "unknown command");
}

TEST(Outline, KeepsEachTextOnceHoweverManyServersThereAre) {
  std::string text = "http { proxy_read_timeout 7s; ";
  for (int i = 0; i < 500; ++i) {
    text += fmt::format(
        "server {{ listen 127.0.0.1:80; server_name s{}; location / {{ proxy_pass http://10.0.0.1; "
        "}} }}",
        i);
  }
  const Outline outline = outline_of(text + "}");
  EXPECT_GT(outline.items.size(), 1000U);
  EXPECT_LT(outline.texts.size(), 520U);
}

TEST(Outline, PlacesHaveTheKeysOfItsItems) {
  const auto snapshot =
      snapshot_of(server("location / { location = /x { } }") + server("location / { }"));
  std::vector<std::string> of_places;
  for (const Place& place : places(*snapshot)) of_places.push_back(place.key);
  std::vector<std::string> of_items;
  for (const Item& item : outline(*snapshot).items) {
    if (item.kind == ItemKind::server || item.kind == ItemKind::location) {
      of_items.push_back(item.key);
    }
  }
  std::ranges::sort(of_places);
  std::ranges::sort(of_items);
  EXPECT_EQ(of_places, of_items);
}

}  // namespace
}  // namespace snapshot
