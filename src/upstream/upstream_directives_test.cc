// `upstream` blocks: what they make, and what is wrong with them.
#include "upstream/upstream_directives.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <string>
#include <vector>

#include "config/interpreter.h"
#include "config/memory_files.h"
#include "config/parser.h"

namespace upstream {
namespace {

using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr config::DirectiveSpec kHttp[] = {{.name = "http",
                                            .contexts = config::Context::main,
                                            .arguments = config::takes(0),
                                            .block = config::opens(config::Context::http),
                                            .documentation = "d"}};

struct Loaded {
  config::MemoryFiles files;
  config::Diagnostics diagnostics;
  config::Tree tree;
  config::Level root;
  Groups groups;
  std::vector<NameInUse> names;

  explicit Loaded(const std::string& blocks, bool compat = false) {
    const std::array features{
        config::Feature{.name = "http", .directives = kHttp, .inherit = nullptr}, kUpstreamFeature,
        kResolverFeature};
    const config::Vocabulary vocabulary(features, {});
    config::parse_text("t.conf", "http { " + blocks + " }", files, diagnostics, tree);
    const config::BuildFlags flags{.compat_nginx = compat};
    config::interpret(tree, vocabulary, root, diagnostics, files, flags);
    add_named_servers(root, names);
    groups = collect_groups(root, diagnostics, flags, names);
  }
  std::vector<std::string> messages() const {
    std::vector<std::string> texts;
    for (const config::Diagnostic& each : diagnostics.list()) texts.push_back(each.message);
    return texts;
  }
};

TEST(UpstreamDirectives, ReadEveryParameterOfAServer) {
  const Loaded loaded(R"(upstream Backend {
    server 10.0.0.1:8080 weight=5 max_fails=3 fail_timeout=1m max_conns=7;
    server app.example backup;
    server unix:/run/app.sock down;
    server [::1]:90;
  })");
  EXPECT_THAT(loaded.messages(), IsEmpty());
  const ClusterSpec& spec = *loaded.groups.at("backend");
  EXPECT_EQ(spec.name, "Backend");
  EXPECT_TRUE(spec.is_group);
  ASSERT_EQ(spec.endpoints.size(), 4U);
  const EndpointSpec& first = spec.endpoints[0];
  EXPECT_EQ(first.address->text(), "10.0.0.1:8080");
  EXPECT_EQ(first.weight, 5U);
  EXPECT_EQ(first.max_fails, 3U);
  EXPECT_EQ(first.fail_timeout, 60s);
  EXPECT_EQ(first.max_conns, 7U);
  EXPECT_EQ(spec.endpoints[1].host, "app.example");
  EXPECT_FALSE(spec.endpoints[1].port);
  EXPECT_TRUE(spec.endpoints[1].backup);
  EXPECT_EQ(spec.endpoints[2].address->text(), "unix:/run/app.sock");
  EXPECT_TRUE(spec.endpoints[2].down);
  EXPECT_EQ(spec.endpoints[3].address->text(), "[::1]:90");
}

TEST(UpstreamDirectives, KeepConnectionsByDefault) {
  const Loaded native("upstream a { server b; }");
  EXPECT_EQ(native.groups.at("a")->keep_alive.max_idle, 64U);
  EXPECT_FALSE(native.groups.at("a")->keep_alive.local);
  const Loaded compat("upstream a { server b; }", true);
  EXPECT_EQ(compat.groups.at("a")->keep_alive.max_idle, 32U);
  EXPECT_TRUE(compat.groups.at("a")->keep_alive.local);
}

TEST(UpstreamDirectives, SetHowConnectionsAreKept) {
  const Loaded loaded(
      "upstream a { server b; keepalive 7 local; keepalive_timeout 5s; keepalive_requests 9; }"
      "upstream c { server b; keepalive 0; }");
  EXPECT_THAT(loaded.messages(), IsEmpty());
  const KeepAlive& keep = loaded.groups.at("a")->keep_alive;
  EXPECT_EQ(keep.max_idle, 7U);
  EXPECT_TRUE(keep.local);
  EXPECT_EQ(keep.idle_timeout, 5s);
  EXPECT_EQ(keep.max_requests, 9U);
  EXPECT_EQ(loaded.groups.at("c")->keep_alive.max_idle, 0U);
}

TEST(UpstreamDirectives, RefuseGroupsWithoutServersAndNamesTwice) {
  EXPECT_THAT(Loaded("upstream a { }").messages(), ElementsAre("no servers are inside upstream"));
  EXPECT_THAT(Loaded("upstream a { server b backup; }").messages(),
              ElementsAre("no servers in upstream \"a\""));
  EXPECT_THAT(Loaded("upstream a { server b; } upstream A { server c; }").messages(),
              ElementsAre("duplicate upstream \"A\""));
}

TEST(UpstreamDirectives, ReportAllThatIsWrongInNginxsWords) {
  const Loaded loaded(R"(upstream a {
    server b:0;
    server b:99999;
    server b/c;
    server :80;
    server [::1;
    server [::x]:80;
    server unix:;
    server b weight=0;
    server b weight=-1 nonsense;
    server b fail_timeout=x;
  })");
  EXPECT_THAT(
      loaded.messages(),
      ElementsAre("invalid port in upstream \"b:0\"", "invalid port in upstream \"b:99999\"",
                  "invalid host in upstream \"b/c\"", "no host in upstream \":80\"",
                  "invalid host in upstream \"[::1\"",
                  "invalid IPv6 address in upstream \"[::x]:80\"",
                  "no path in the unix domain socket in upstream \"unix:\"",
                  "invalid parameter \"weight=0\"", "invalid parameter \"weight=-1\"",
                  "invalid parameter \"nonsense\"", "invalid parameter \"fail_timeout=x\""));
}

TEST(UpstreamDirectives, RefuseParametersOfLaterStagesByName) {
  const Loaded loaded("upstream a { server b slow_start=30s route=x drain; }");
  EXPECT_THAT(loaded.messages(), ElementsAre("parameter \"slow_start=30s\" is not supported yet",
                                             "parameter \"route=x\" is not supported yet",
                                             "parameter \"drain\" is not supported yet"));
}

TEST(UpstreamDirectives, NameTheRecordsOfAService) {
  const Loaded loaded(R"(upstream a {
    server Backend.example service=http resolve;
    server backend.example service=_http._tcp resolve weight=2;
    server example service=server1.backend resolve backup;
  })");
  EXPECT_THAT(loaded.messages(), IsEmpty());
  const auto& endpoints = loaded.groups.at("a")->endpoints;
  ASSERT_EQ(endpoints.size(), 3U);
  EXPECT_EQ(endpoints[0].service, "_http._tcp.backend.example");
  EXPECT_EQ(endpoints[1].service, "_http._tcp.backend.example");
  EXPECT_EQ(endpoints[2].service, "server1.backend.example");
  ASSERT_EQ(loaded.names.size(), 3U);
  EXPECT_TRUE(loaded.names[2].is_service);
  EXPECT_EQ(loaded.names[2].host, "server1.backend.example");
  EXPECT_EQ(loaded.names[0].written, "Backend.example service=http");
}

TEST(UpstreamDirectives, RefuseServicesThatCannotBeLookedUp) {
  const Loaded loaded(
      "upstream a { server b service=http; server b:80 service=http resolve; "
      "server 10.0.0.1 service=http resolve; server unix:/s service=x resolve; "
      "server b service= resolve; server b \"service=a b\" resolve; "
      "server b service=" +
      std::string(250, 'x') + " resolve; server b service; }");
  EXPECT_THAT(loaded.messages(), ElementsAre("service without \"resolve\" in upstream \"b\"",
                                             "service with a port in upstream \"b:80\"",
                                             "service for an address in upstream \"10.0.0.1\"",
                                             "service for an address in upstream \"unix:/s\"",
                                             "empty service name in upstream \"b\"",
                                             "invalid service name \"a b\" in upstream \"b\"",
                                             ::testing::StartsWith("invalid service name \"xxx"),
                                             "invalid parameter \"service\""));
}

TEST(ResolverDirectives, ReadServersWithPortsNamesAndParameters) {
  const Loaded loaded(
      "resolver 127.0.0.1 [::1]:5353 dns.example:54 valid=30s ipv6=off; resolver_timeout 5s; "
      "upstream a { server app.example resolve; }");
  EXPECT_THAT(loaded.messages(), IsEmpty());
  const NameLookup& lookup = loaded.groups.at("a")->lookup;
  ASSERT_EQ(lookup.dns.servers.size(), 2U);
  EXPECT_EQ(lookup.dns.servers[0].text(), "127.0.0.1:53");
  EXPECT_EQ(lookup.dns.servers[1].text(), "[::1]:5353");
  ASSERT_EQ(lookup.dns.named_servers.size(), 1U);
  EXPECT_EQ(lookup.dns.named_servers[0].host, "dns.example");
  EXPECT_EQ(lookup.dns.named_servers[0].port, 54);
  EXPECT_EQ(lookup.dns.valid, 30s);
  EXPECT_TRUE(lookup.dns.ipv4);
  EXPECT_FALSE(lookup.dns.ipv6);
  EXPECT_EQ(lookup.timeout, 5s);
}

TEST(ResolverDirectives, LookUpTheNamesOfABlockThatHasOneOfItsOwn) {
  const Loaded loaded(
      "resolver 127.0.0.1; upstream a { server one.example; server two.example resolve; } "
      "upstream b { resolver 127.0.0.2; server three.example; }");
  EXPECT_THAT(loaded.messages(), IsEmpty());
  const ClusterSpec& a = *loaded.groups.at("a");
  EXPECT_FALSE(a.endpoints[0].resolve);
  EXPECT_TRUE(a.endpoints[1].resolve);
  EXPECT_EQ(a.lookup.dns.servers.at(0).text(), "127.0.0.1:53");
  const ClusterSpec& b = *loaded.groups.at("b");
  EXPECT_TRUE(b.endpoints[0].resolve);
  EXPECT_EQ(b.lookup.dns.servers.at(0).text(), "127.0.0.2:53");
}

TEST(ResolverDirectives, SayWhichNamesAreNeededAndWhoIsAsked) {
  const Loaded loaded(
      "resolver dns.example; upstream a { server one.example:81; server 10.0.0.1; "
      "server two.example resolve; server three.example down; }");
  ASSERT_EQ(loaded.names.size(), 3U);
  EXPECT_EQ(loaded.names[0].role, NameInUse::Role::resolver);
  EXPECT_EQ(loaded.names[0].host, "dns.example");
  EXPECT_EQ(loaded.names[1].written, "one.example:81");
  EXPECT_TRUE(loaded.names[1].dns.is_system());
  EXPECT_EQ(loaded.names[2].host, "two.example");
  EXPECT_FALSE(loaded.names[2].dns.is_system());
}

TEST(ResolverDirectives, RefuseWhatIsWrong) {
  const auto first = [](const std::string& text) {
    const auto messages = Loaded(text + " upstream a { server b; }").messages();
    return messages.empty() ? std::string() : messages.front();
  };
  EXPECT_EQ(first("resolver valid=5s;"), "no name servers defined");
  EXPECT_EQ(first("resolver 127.0.0.1 valid=x;"), "invalid parameter: valid=x");
  EXPECT_EQ(first("resolver 127.0.0.1 valid=0;"), "invalid parameter: valid=0");
  EXPECT_EQ(first("resolver 127.0.0.1 ipv6=maybe;"), "invalid parameter: ipv6=maybe");
  EXPECT_EQ(first("resolver 127.0.0.1 ipv4=off ipv6=off;"),
            "\"ipv4\" and \"ipv6\" cannot both be \"off\"");
  EXPECT_EQ(first("resolver unix:/x;"), "invalid host in resolver \"unix:/x\"");
  EXPECT_EQ(first("resolver 127.0.0.1:0;"), "invalid port in resolver \"127.0.0.1:0\"");
  EXPECT_EQ(first("resolver 127.0.0.1 status_zone=z;"),
            "\"status_zone=\" of \"resolver\" has no effect");
}

}  // namespace
}  // namespace upstream
