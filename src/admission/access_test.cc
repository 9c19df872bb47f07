#include "admission/access.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>

#include "config/testing/loaded.h"

namespace admission {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class Rules : public ::testing::Test, protected config::testing::Loaded {
 protected:
  Rules() : Loaded(kAccessFeature) {}
  void load(const std::string& in_server, const std::string& in_http = {}) {
    interpret("http { " + in_http + " server { " + in_server + " } }");
  }
  Access check(std::string_view ip) {
    return check_access(server(), *base::Address::from_ip(ip, 1234));
  }
};

TEST_F(Rules, AreAskedInTheirOrder) {
  load("deny 10.0.0.1; allow 10.0.0.0/8; allow 2001:db8::/32; deny all;");
  EXPECT_EQ(check("10.0.0.1"), Access::denied);
  EXPECT_EQ(check("10.9.9.9"), Access::allowed);
  EXPECT_EQ(check("192.0.2.1"), Access::denied);
  EXPECT_EQ(check("2001:db8::7"), Access::allowed);
  EXPECT_EQ(check("2001:db9::7"), Access::denied);
}

TEST_F(Rules, SayNothingOfOthers) {
  load("deny 192.168.1.0/24;");
  EXPECT_EQ(check("192.168.2.1"), Access::none);
  EXPECT_EQ(check("::1"), Access::none);
}

TEST_F(Rules, KnowClientsOfUnixSockets) {
  load("allow unix:; deny all;");
  EXPECT_EQ(check_access(server(), *base::Address::from_path("/run/x")), Access::allowed);
  EXPECT_EQ(check("127.0.0.1"), Access::denied);
}

TEST_F(Rules, KnowIpv4ClientsOfDualStackSockets) {
  load("allow 10.0.0.0/8; deny all;");
  EXPECT_EQ(check("::ffff:10.1.2.3"), Access::allowed);
}

TEST_F(Rules, AreReplacedWhole) {
  load("allow 10.0.0.1;", "deny all;");
  EXPECT_EQ(check("192.0.2.1"), Access::none);
}

TEST_F(Rules, AreInherited) {
  load("", "deny all;");
  EXPECT_EQ(check("192.0.2.1"), Access::denied);
}

TEST_F(Rules, TakeOnlyAddresses) {
  load("allow localhost; deny 10.0.0.0/33; allow ALL; deny 10.0.0.1:80; deny \"\";");
  EXPECT_THAT(messages(),
              ElementsAre("invalid parameter \"localhost\"", "invalid parameter \"10.0.0.0/33\"",
                          "invalid parameter \"ALL\"", "invalid parameter \"10.0.0.1:80\"",
                          "invalid parameter \"\""));
}

TEST_F(Rules, WarnOfBitsWithoutMeaning) {
  load(
      "allow 10.1.2.3/8; allow 10.0.0.0/8; allow 2001:db8::1/32; allow 10.0.0.1/32; deny "
      "10.0.0.128/25; deny 0.0.0.0/0;");
  EXPECT_FALSE(diagnostics_.has_errors());
  EXPECT_THAT(messages(), ElementsAre("low address bits of 10.1.2.3/8 are meaningless",
                                      "low address bits of 2001:db8::1/32 are meaningless"));
  EXPECT_EQ(check("10.200.0.1"), Access::allowed);
}

}  // namespace
}  // namespace admission
