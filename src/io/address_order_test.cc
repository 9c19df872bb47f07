#include "io/address_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <initializer_list>
#include <string>
#include <utility>

namespace io {
namespace {

using testing::ElementsAre;

/// Destinations with their sources; "" is none.
std::vector<std::string> sorted(
    std::initializer_list<std::pair<std::string, std::string>> destinations) {
  std::vector<Destination> list;
  for (const auto& [to, from] : destinations) {
    list.push_back({.address = *base::Address::from_ip(to, 0), .source = {}});
    if (!from.empty()) list.back().source = *base::Address::from_ip(from, 0);
  }
  sort_destinations(list);
  std::vector<std::string> texts;
  for (const Destination& each : list) texts.push_back(each.address.ip_text());
  return texts;
}

// RFC 6724 §10.2, the examples in their order but for those of home and deprecated addresses. Each
// list stands here the other way round than it should come out.

TEST(SortDestinations, PrefersAMatchingScope) {
  EXPECT_THAT(sorted({{"198.51.100.121", "169.254.13.78"}, {"2001:db8:1::1", "2001:db8:1::2"}}),
              ElementsAre("2001:db8:1::1", "198.51.100.121"));
  EXPECT_THAT(sorted({{"2001:db8:1::1", "fe80::1"}, {"198.51.100.121", "198.51.100.117"}}),
              ElementsAre("198.51.100.121", "2001:db8:1::1"));
}

TEST(SortDestinations, PrefersAHigherPrecedence) {
  EXPECT_THAT(sorted({{"10.1.2.3", "10.1.2.4"}, {"2001:db8:1::1", "2001:db8:1::2"}}),
              ElementsAre("2001:db8:1::1", "10.1.2.3"));
  EXPECT_THAT(
      sorted({{"2002:c633:6401::1", "2002:c633:6401::2"}, {"2001:db8:1::1", "2001:db8:1::2"}}),
      ElementsAre("2001:db8:1::1", "2002:c633:6401::1"));
}

TEST(SortDestinations, PrefersASmallerScope) {
  EXPECT_THAT(sorted({{"2001:db8:1::1", "2001:db8:1::2"}, {"fe80::1", "fe80::2"}}),
              ElementsAre("fe80::1", "2001:db8:1::1"));
}

TEST(SortDestinations, PrefersALongerCommonPrefix) {
  EXPECT_THAT(
      sorted({{"2001:db8:3ffe::1", "2001:db8:3f44::2"}, {"2001:db8:1::1", "2001:db8:1::2"}}),
      ElementsAre("2001:db8:1::1", "2001:db8:3ffe::1"));
}

TEST(SortDestinations, PrefersAMatchingLabel) {
  EXPECT_THAT(
      sorted({{"2001:db8:1::1", "2002:c633:6401::2"}, {"2002:c633:6401::1", "2002:c633:6401::2"}}),
      ElementsAre("2002:c633:6401::1", "2001:db8:1::1"));
}

// What the RFC has no example for.

TEST(SortDestinations, AvoidsWhatHasNoRoute) {
  EXPECT_THAT(sorted({{"2001:db8:1::1", ""}, {"10.1.2.3", "10.1.2.4"}}),
              ElementsAre("10.1.2.3", "2001:db8:1::1"));
}

TEST(SortDestinations, TakesUniqueLocalAddressesForTheLastOfTheirSite) {
  EXPECT_THAT(
      sorted({{"fd00::1", "fd00::2"}, {"10.1.2.3", "10.1.2.4"}, {"2001:db8::1", "2001:db8::2"}}),
      ElementsAre("2001:db8::1", "10.1.2.3", "fd00::1"));
}

TEST(SortDestinations, KeepsTheOrderOfWhatIsEqual) {
  EXPECT_THAT(
      sorted({{"10.9.0.1", "10.1.0.1"}, {"10.1.0.2", "10.1.0.1"}, {"192.0.2.1", "10.1.0.1"}}),
      ElementsAre("10.9.0.1", "10.1.0.2", "192.0.2.1"));
  // Beyond the prefix of an interface nothing follows from common bits.
  EXPECT_THAT(sorted({{"2001:db8::ff:1", "2001:db8::2"}, {"2001:db8::3", "2001:db8::2"}}),
              ElementsAre("2001:db8::ff:1", "2001:db8::3"));
}

}  // namespace
}  // namespace io
