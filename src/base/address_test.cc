#include "base/address.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(Address, ReadsAndShowsEveryFamily) {
  EXPECT_EQ(Address::from_ip_and_port("127.0.0.1:80")->text(), "127.0.0.1:80");
  EXPECT_EQ(Address::from_ip_and_port("[::1]:8443")->text(), "[::1]:8443");
  EXPECT_EQ(Address::from_path("/run/a.sock")->text(), "unix:/run/a.sock");
  EXPECT_EQ(Address::from_path("@hidden")->text(), "unix:@hidden");
  EXPECT_FALSE(Address::from_ip_and_port("::1:80"));
  EXPECT_FALSE(Address::from_ip("example.com", 80));
  EXPECT_FALSE(Address::from_path(std::string(108, 'x')));
}

TEST(Network, ContainsByPrefixAndSeesMappedAddresses) {
  const auto ten = Network::parse("10.0.0.0/8");
  EXPECT_TRUE(ten->contains(*Address::from_ip("10.255.0.1", 0)));
  EXPECT_TRUE(ten->contains(*Address::from_ip("::ffff:10.1.2.3", 0)));
  EXPECT_FALSE(ten->contains(*Address::from_ip("11.0.0.1", 0)));
  EXPECT_FALSE(Network::parse("10.0.0.0/33"));
  EXPECT_TRUE(Network::parse("2001:db8::/33")->contains(*Address::from_ip("2001:db8:7fff::1", 0)));
  EXPECT_FALSE(Network::parse("2001:db8::/33")->contains(*Address::from_ip("2001:db8:8000::1", 0)));
}

}  // namespace
}  // namespace base
