#include "proxy/tunnel_targets.h"

#include <gtest/gtest.h>

#include <vector>

namespace proxy {
namespace {

std::vector<TargetRule> rules(std::initializer_list<std::string_view> texts) {
  std::vector<TargetRule> made;
  for (const std::string_view text : texts) made.push_back(parse_target_rule(text).value());
  return made;
}

base::Address at(std::string_view ip) { return *base::Address::from_ip(ip, 443); }

TEST(TunnelTargets, PublicAddressesAreThoseThatAreNobodysOwn) {
  for (const auto* ip : {"1.1.1.1", "9.255.255.255", "11.0.0.1", "172.15.0.1", "172.32.0.1",
                         "192.167.0.1", "223.255.255.255", "2606:4700::1", "2a00::1"}) {
    EXPECT_TRUE(is_public(at(ip))) << ip;
  }
  for (const auto* ip :
       {"0.0.0.0",          "10.0.0.1",       "100.64.0.1",      "127.0.0.1",   "127.255.255.254",
        "169.254.169.254",  "172.16.0.1",     "172.31.255.255",  "192.0.0.1",   "192.0.2.1",
        "192.168.0.1",      "198.18.0.1",     "198.51.100.1",    "203.0.113.1", "224.0.0.1",
        "239.1.1.1",        "240.0.0.1",      "255.255.255.255", "::",          "::1",
        "::ffff:127.0.0.1", "::ffff:1.1.1.1", "64:ff9b::7f00:1", "100::1",      "2001::1",
        "2001:db8::1",      "2002:7f00:1::",  "fc00::1",         "fd00::1",     "fe80::1",
        "fec0::1",          "ff02::1"}) {
    EXPECT_FALSE(is_public(at(ip))) << ip;
  }
  EXPECT_FALSE(is_public(*base::Address::from_path("/run/x")));
}

TEST(TunnelTargets, NamesLeadToPublicAddressesAlone) {
  const auto any = rules({"any"});
  EXPECT_TRUE(may_connect(any, "a.test", at("1.1.1.1"), 443));
  EXPECT_FALSE(may_connect(any, "a.test", at("1.1.1.1"), 80));
  EXPECT_FALSE(may_connect(any, "a.test", at("127.0.0.1"), 443));
  const auto named = rules({"A.test:*", "127.0.0.1:8080"});
  EXPECT_TRUE(may_connect(named, "a.test", at("1.1.1.1"), 25));
  EXPECT_FALSE(may_connect(named, "b.test", at("1.1.1.1"), 25));
  EXPECT_FALSE(may_connect(named, "a.test", at("127.0.0.1"), 443));
  EXPECT_TRUE(may_connect(named, "a.test", at("127.0.0.1"), 8080));
}

TEST(TunnelTargets, NamesBelowAName) {
  const auto below = rules({"*.a.test"});
  EXPECT_TRUE(may_lead_to(below, "x.a.test", 443));
  EXPECT_TRUE(may_lead_to(below, "x.y.a.test", 443));
  EXPECT_FALSE(may_lead_to(below, "a.test", 443));
  EXPECT_FALSE(may_lead_to(below, "xa.test", 443));
  EXPECT_FALSE(may_lead_to(below, ".a.test", 443));
  EXPECT_TRUE(may_lead_to(rules({".a.test"}), "a.test", 443));
}

TEST(TunnelTargets, OnlyWhatSomeRuleCouldAdmitIsLookedUp) {
  EXPECT_FALSE(may_lead_to({}, "a.test", 443));
  EXPECT_FALSE(may_lead_to(rules({"b.test"}), "a.test", 443));
  EXPECT_TRUE(may_lead_to(rules({"10.0.0.0/8"}), "a.test", 443));
  EXPECT_FALSE(may_lead_to(rules({"10.0.0.0/8"}), "a.test", 80));
  EXPECT_FALSE(may_lead_to(rules({"10.0.0.0/8"}), "11.0.0.1", 443));
  EXPECT_TRUE(may_lead_to(rules({"[fd00::]/8:*"}), "fd00::1", 1));
  EXPECT_FALSE(may_lead_to(rules({"any:*"}), "::1", 443));
}

}  // namespace
}  // namespace proxy
