#include "guard/offenders.h"

#include <gtest/gtest.h>

#include "io/testing/fake_clock.h"

namespace guard {
namespace {

using Kind = observe::Offence::Kind;

base::Address address(std::string_view text) { return *base::Address::from_ip(text, 4711); }

TEST(Offenders, AreRememberedByAddressForAWhile) {
  io::testing::FakeClock clock;
  Offenders offenders(clock);
  offenders.report({.kind = Kind::flood, .peer = address("192.0.2.1")});
  offenders.report({.kind = Kind::flood, .peer = address("192.0.2.1").with_port(5)});
  EXPECT_EQ(offenders.count(address("192.0.2.1")), 2U);
  EXPECT_EQ(offenders.count(address("192.0.2.2")), 0U);
  clock.advance(Offenders::kMemory);
  EXPECT_EQ(offenders.count(address("192.0.2.1")), 2U);
  clock.advance(std::chrono::seconds(1));
  EXPECT_EQ(offenders.count(address("192.0.2.1")), 0U);
  offenders.report({.kind = Kind::flood, .peer = address("192.0.2.1")});
  EXPECT_EQ(offenders.count(address("192.0.2.1")), 1U);
}

TEST(Offenders, OfIpv6AreNetworksOf64Bits) {
  io::testing::FakeClock clock;
  Offenders offenders(clock);
  offenders.report({.kind = Kind::flood, .peer = address("2001:db8::1")});
  EXPECT_EQ(offenders.count(address("2001:db8::ffff:2")), 1U);
  EXPECT_EQ(offenders.count(address("2001:db8:0:1::1")), 0U);
  offenders.report({.kind = Kind::flood, .peer = address("::ffff:192.0.2.1")});
  EXPECT_EQ(offenders.count(address("::ffff:192.0.2.2")), 0U);
  EXPECT_EQ(offenders.count(address("192.0.2.1")), 1U);
}

TEST(Offenders, OnlyFloodsCount) {
  io::testing::FakeClock clock;
  Offenders offenders(clock);
  offenders.report({.kind = Kind::protocol, .peer = address("192.0.2.1")});
  offenders.report({.kind = Kind::flood, .peer = base::Address()});
  EXPECT_EQ(offenders.count(address("192.0.2.1")), 0U);
  EXPECT_EQ(offenders.count(base::Address()), 0U);
}

}  // namespace
}  // namespace guard
