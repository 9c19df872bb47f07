#include "admission/real_ip.h"

#include <gtest/gtest.h>

namespace admission {
namespace {

class RealIp : public ::testing::Test {
 protected:
  std::string remote(std::string_view peer, std::vector<std::string_view> values) {
    connection_.peer = *base::Address::from_ip(peer, 1000);
    base::Arena arena;
    exchange::Exchange exchange(connection_, arena);
    for (const auto value : values) EXPECT_TRUE(exchange.request.fields.add("X-Forwarded-For", value));
    apply_real_ip(level_, exchange);
    return exchange.remote.ip_text();
  }
  RealIp() {
    auto& options = level_.options<RealIpOptions>();
    options.header.value = "X-Forwarded-For";
    options.from.value = {*base::Network::parse("10.0.0.0/8")};
  }
  config::Level level_;
  exchange::Connection connection_;
};

TEST_F(RealIp, BelievesTrustedPeersOnly) {
  EXPECT_EQ(remote("10.0.0.1", {"192.0.2.7"}), "192.0.2.7");
  EXPECT_EQ(remote("11.0.0.1", {"192.0.2.7"}), "11.0.0.1");
}

TEST_F(RealIp, TakesTheLastAddressOfTheLastField) {
  EXPECT_EQ(remote("10.0.0.1", {"192.0.2.1, 192.0.2.2", "192.0.2.3,192.0.2.4"}), "192.0.2.4");
  EXPECT_EQ(remote("10.0.0.1", {"192.0.2.1, nonsense"}), "10.0.0.1");
  EXPECT_EQ(remote("10.0.0.1", {"[2001:db8::1]:443"}), "2001:db8::1");
}

TEST_F(RealIp, PassesOverTrustedAddressesWhenRecursive) {
  level_.options<RealIpOptions>().recursive.value = true;
  EXPECT_EQ(remote("10.0.0.1", {"192.0.2.1", "192.0.2.2, 10.2.2.2, 10.3.3.3"}), "192.0.2.2");
  EXPECT_EQ(remote("10.0.0.1", {"10.1.1.1, 10.2.2.2"}), "10.1.1.1");
}

}  // namespace
}  // namespace admission
