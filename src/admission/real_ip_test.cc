#include "admission/real_ip.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <vector>

#include "config/testing/loaded.h"

namespace admission {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class RealIp : public ::testing::Test, protected config::testing::Loaded {
 protected:
  RealIp() : Loaded(kRealIpFeature) {}
  struct Field {
    std::string_view name;
    std::string_view value;
  };

  void load(const std::string& directives, const std::string& in_server = {}) {
    interpret("http { " + directives + " server { " + in_server + " } }");
  }
  std::string hint() const { return diagnostics_.list().at(0).hint; }

  // Where a request with these fields seems to come from.
  std::string remote(std::string_view peer, const std::vector<Field>& fields) {
    connection_.peer =
        peer == "unix:" ? *base::Address::from_path("/run/s") : *base::Address::from_ip(peer, 1000);
    base::Arena arena;
    exchange::Exchange exchange(connection_, arena);
    for (const Field& field : fields) {
      EXPECT_TRUE(exchange.request.fields.add(field.name, field.value));
    }
    apply_real_ip(server(), exchange);
    return exchange.remote.text();
  }
  std::string by_forwarded_for(std::string_view value) {
    return remote("10.0.0.1", {{"X-Forwarded-For", value}});
  }

  exchange::Connection connection_;
};

TEST_F(RealIp, DoesNothingWithoutTrustedPeers) {
  load("");
  EXPECT_EQ(remote("10.0.0.1", {{"X-Real-IP", "192.0.2.7"}}), "10.0.0.1:1000");
}

TEST_F(RealIp, BelievesTrustedPeersOnly) {
  load("set_real_ip_from 10.0.0.0/8;");
  EXPECT_EQ(remote("10.0.0.1", {{"x-real-ip", "192.0.2.7"}}), "192.0.2.7:0");
  EXPECT_EQ(remote("::ffff:10.0.0.1", {{"X-Real-IP", "192.0.2.7"}}), "192.0.2.7:0");
  EXPECT_EQ(remote("11.0.0.1", {{"X-Real-IP", "192.0.2.7"}}), "11.0.0.1:1000");
  EXPECT_EQ(remote("unix:", {{"X-Real-IP", "192.0.2.7"}}), "unix:/run/s");
}

TEST_F(RealIp, BelievesUnixSocketsWhenToldSo) {
  load("set_real_ip_from unix:;");
  EXPECT_EQ(remote("unix:", {{"X-Real-IP", "192.0.2.7"}}), "192.0.2.7:0");
  EXPECT_EQ(remote("10.0.0.1", {{"X-Real-IP", "192.0.2.7"}}), "10.0.0.1:1000");
}

TEST_F(RealIp, TakesTheFirstFieldOfAnyOtherName) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header CF-Connecting-IP;");
  EXPECT_EQ(
      remote("10.0.0.1", {{"cf-connecting-ip", "192.0.2.1"}, {"CF-Connecting-IP", "192.0.2.2"}}),
      "192.0.2.1:0");
  EXPECT_EQ(remote("10.0.0.1", {{"X-Real-IP", "192.0.2.7"}}), "10.0.0.1:1000");
}

TEST_F(RealIp, TakesTheLastAddressOfTheLastForwardedFor) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;");
  EXPECT_EQ(remote("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1, 192.0.2.2"},
                                {"X-Forwarded-For", "192.0.2.3,192.0.2.4"}}),
            "192.0.2.4:0");
  EXPECT_EQ(by_forwarded_for("192.0.2.1, 192.0.2.2 , "), "192.0.2.2:0");
  EXPECT_EQ(by_forwarded_for("10.1.1.1, 10.2.2.2"), "10.2.2.2:0");
}

TEST_F(RealIp, DoesNotLookBehindAFieldWithoutAnAddress) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;");
  EXPECT_EQ(remote("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-For", ", "}}),
            "10.0.0.1:1000");
  EXPECT_EQ(remote("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-For", ""}}),
            "10.0.0.1:1000");
}

TEST_F(RealIp, KeepsThePortThatStandsBehindTheAddress) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;");
  EXPECT_EQ(by_forwarded_for("192.0.2.1:4711"), "192.0.2.1:4711");
  EXPECT_EQ(by_forwarded_for("[2001:db8::1]:443"), "[2001:db8::1]:443");
  EXPECT_EQ(by_forwarded_for("2001:db8::1"), "[2001:db8::1]:0");
}

TEST_F(RealIp, LeavesTheAddressWhereTheFieldHasNone) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;");
  for (const std::string_view wrong :
       {"", "unknown", "192.0.2.1, nonsense", "192.0.2.256", "192.0.2.1:0", "192.0.2.1:65536",
        "192.0.2.1:", "[2001:db8::1]", "[2001:db8::1", "unix:", "localhost", "192.0.2.1;"}) {
    EXPECT_EQ(by_forwarded_for(wrong), "10.0.0.1:1000") << wrong;
  }
}

TEST_F(RealIp, PassesOverTrustedAddressesWhenRecursive) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;");
  EXPECT_EQ(by_forwarded_for("192.0.2.1, 192.0.2.2, 10.2.2.2, 10.3.3.3"), "192.0.2.2:0");
  EXPECT_EQ(by_forwarded_for("10.1.1.1, 10.2.2.2"), "10.1.1.1:0");
  EXPECT_EQ(by_forwarded_for("192.0.2.1, unknown, 10.2.2.2"), "10.2.2.2:0");
  EXPECT_EQ(by_forwarded_for(", 10.2.2.2"), "10.2.2.2:0");
}

TEST_F(RealIp, ReadsSeveralForwardedForsAsOneListWhenRecursive) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For; real_ip_recursive on;");
  EXPECT_EQ(remote("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1, 192.0.2.2"},
                                {"X-Forwarded-For", "10.2.2.2, 10.3.3.3"}}),
            "192.0.2.2:0");
  EXPECT_EQ(remote("10.0.0.1",
                   {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-For", "unknown, 10.3.3.3"}}),
            "10.3.3.3:0");
  EXPECT_EQ(
      remote("10.0.0.1", {{"X-Forwarded-For", "192.0.2.1"}, {"X-Forwarded-For", ", 10.3.3.3"}}),
      "10.3.3.3:0");
}

TEST_F(RealIp, TakesTheAddressOfTheProxyProtocol) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol;");
  EXPECT_EQ(remote("10.0.0.1", {}), "10.0.0.1:1000");
  connection_.proxy_protocol = std::make_unique<exchange::Connection::ProxyProtocol>();
  connection_.proxy_protocol->source = *base::Address::from_ip("192.0.2.9", 99);
  EXPECT_EQ(remote("10.0.0.1", {}), "192.0.2.9:99");
  EXPECT_EQ(remote("11.0.0.1", {}), "11.0.0.1:1000");
}

TEST_F(RealIp, LeavesTheAddressWhereTheProxyProtocolHasNone) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header proxy_protocol;");
  connection_.proxy_protocol = std::make_unique<exchange::Connection::ProxyProtocol>();
  EXPECT_EQ(remote("10.0.0.1", {}), "10.0.0.1:1000");
}

TEST_F(RealIp, MovesAnAddressOnce) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;",
       "set_real_ip_from 0.0.0.0/0; real_ip_header X-Real-IP;");
  base::Arena arena;
  connection_.peer = *base::Address::from_ip("10.0.0.1", 1000);
  exchange::Exchange exchange(connection_, arena);
  ASSERT_TRUE(exchange.request.fields.add("X-Forwarded-For", "192.0.2.1"));
  ASSERT_TRUE(exchange.request.fields.add("X-Real-IP", "192.0.2.2"));
  apply_real_ip(http(), exchange);
  apply_real_ip(server(), exchange);
  EXPECT_EQ(exchange.remote.ip_text(), "192.0.2.1");
}

TEST_F(RealIp, InheritsEachDirectiveByItself) {
  load("set_real_ip_from 10.0.0.0/8; real_ip_header X-Forwarded-For;", "real_ip_recursive on;");
  EXPECT_EQ(by_forwarded_for("192.0.2.1, 10.2.2.2"), "192.0.2.1:0");
}

TEST_F(RealIp, ReplacesTheListOfTrustedPeersWhole) {
  load("set_real_ip_from 10.0.0.0/8;", "set_real_ip_from 172.16.0.0/12; set_real_ip_from ::1;");
  EXPECT_EQ(remote("10.0.0.1", {{"X-Real-IP", "192.0.2.1"}}), "10.0.0.1:1000");
  EXPECT_EQ(remote("172.16.0.1", {{"X-Real-IP", "192.0.2.1"}}), "192.0.2.1:0");
  EXPECT_EQ(remote("::1", {{"X-Real-IP", "192.0.2.1"}}), "192.0.2.1:0");
}

TEST_F(RealIp, RefusesHostNamesAsPeers) {
  load("set_real_ip_from proxy.example;");
  EXPECT_THAT(messages(), ElementsAre("invalid value \"proxy.example\" in \"set_real_ip_from\" "
                                      "directive"));
  EXPECT_THAT(hint(), HasSubstr("host names are not resolved"));
}

TEST_F(RealIp, RefusesNamesThatNoFieldHas) {
  load("real_ip_header X-Real-IP:;");
  EXPECT_THAT(messages(),
              ElementsAre("invalid value \"X-Real-IP:\" in \"real_ip_header\" directive"));
}

TEST_F(RealIp, TakesWhatNginxTakes) {
  load(
      "set_real_ip_from 192.168.2.1; set_real_ip_from 2001:0db8::/32; set_real_ip_from unix:; "
      "real_ip_header X-Forwarded-For; real_ip_recursive off;");
  EXPECT_THAT(messages(), IsEmpty());
}

}  // namespace
}  // namespace admission
