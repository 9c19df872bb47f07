#include "script/geo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <random>
#include <string>

#include "config/testing/loaded.h"
#include "script/data_directives.h"
#include "script/geo_networks.h"

namespace script {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

class GeoTest : public ::testing::Test, protected config::testing::Loaded {
 protected:
  GeoTest() : Loaded(kDataFeature) {}

  void load(const std::string& blocks) {
    interpret("http { " + blocks + " }");
    provision_data(http(), variables, diagnostics_);
  }
  /// $v for a client at this address, with these X-Forwarded-For fields.
  std::string get(std::string_view client, std::initializer_list<std::string_view> forwarded = {}) {
    const Value value = Value::compile({"$v", {}, false}, variables, diagnostics_);
    slots.assign(variables.slot_count(), std::nullopt);
    connection.peer = client == "unix:" ? *base::Address::from_path("/x")
                                        : base::Address::from_ip(client, 1).value();
    exchange.emplace(connection, arena);
    exchange->named_captures = slots;
    for (const std::string_view list : forwarded) {
      EXPECT_TRUE(exchange->request.fields.add("X-Forwarded-For", list));
    }
    return std::string(value.evaluate(*exchange));
  }
  /// $v for an address in an argument.
  std::string of_argument(const std::string& text) {
    const Value value = Value::compile({"$v", {}, false}, variables, diagnostics_);
    slots.assign(variables.slot_count(), std::nullopt);
    exchange.emplace(connection, arena);
    exchange->named_captures = slots;
    const std::string args = "a=" + text;
    exchange->args = args;
    return std::string(value.evaluate(*exchange));
  }

  Variables variables;
  base::Arena arena;
  exchange::Connection connection;
  std::vector<std::optional<std::string_view>> slots;
  std::optional<exchange::Exchange> exchange;
};

TEST_F(GeoTest, TheLongestPrefixCounts) {
  load(
      "geo $v { default d; 10.1.2.0/24 c; 10.0.0.0/8 a; 10.1.0.0/16 b; 10.1.2.3 one; "
      "255.255.255.255 all; 2001:db8::/32 six; 2001:db8::1 first; }");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(get("10.9.9.9"), "a");
  EXPECT_EQ(get("10.1.9.9"), "b");
  EXPECT_EQ(get("10.1.2.4"), "c");
  EXPECT_EQ(get("10.1.2.3"), "one");
  EXPECT_EQ(get("10.1.3.0"), "b");
  EXPECT_EQ(get("11.0.0.0"), "d");
  EXPECT_EQ(get("9.255.255.255"), "d");
  EXPECT_EQ(get("2001:db8::1"), "first");
  EXPECT_EQ(get("2001:db8::2"), "six");
  EXPECT_EQ(get("2001:db9::"), "d");
  EXPECT_EQ(get("::ffff:10.1.2.3"), "one");
  EXPECT_EQ(get("unix:"), "all");
}

TEST_F(GeoTest, WithoutADefaultGivesTheEmptyText) {
  load("geo $v { 10.0.0.0/8 a; }");
  EXPECT_EQ(get("11.0.0.1"), "");
  EXPECT_EQ(get("::1"), "");
}

TEST_F(GeoTest, TheAddressMayComeFromAVariable) {
  load("geo $arg_a $v { default d; 10.0.0.0/8 a; ::1 one; 255.255.255.255 none; }");
  EXPECT_EQ(of_argument("10.1.1.1"), "a");
  EXPECT_EQ(of_argument("::1"), "one");
  EXPECT_EQ(of_argument("192.0.2.1"), "d");
  for (const char* text : {"", "x", "[::1]", "10.1.1.1:80", "10.1.1", "10.1.1.1 "}) {
    EXPECT_EQ(of_argument(text), "none") << text;
  }
}

TEST_F(GeoTest, RangesMayLieWithinEarlierOnes) {
  load(
      "geo $v { ranges; default d; 10.0.0.0-10.0.0.255 a; 10.0.0.10-10.0.0.20 b; "
      "10.0.0.0-10.0.0.0 first; 10.0.0.255-10.0.0.255 last; 10.1.0.5-10.3.0.4 wide; "
      "255.255.255.0-255.255.255.255 none; }");
  EXPECT_THAT(messages(), IsEmpty());
  EXPECT_EQ(get("10.0.0.9"), "a");
  EXPECT_EQ(get("10.0.0.10"), "b");
  EXPECT_EQ(get("10.0.0.20"), "b");
  EXPECT_EQ(get("10.0.0.21"), "a");
  EXPECT_EQ(get("10.0.0.0"), "first");
  EXPECT_EQ(get("10.0.0.255"), "last");
  EXPECT_EQ(get("10.0.1.0"), "d");
  EXPECT_EQ(get("10.1.0.4"), "d");
  EXPECT_EQ(get("10.1.0.5"), "wide");
  EXPECT_EQ(get("10.2.200.1"), "wide");
  EXPECT_EQ(get("10.3.0.5"), "d");
  EXPECT_EQ(get("2001:db8::1"), "none");
  EXPECT_EQ(get("unix:"), "none");
}

TEST_F(GeoTest, DeletesWhatAnIncludedFileBrought) {
  load(
      "geo $v { default d; 10.0.0.0/8 a; 10.1.0.0/16 b; delete 10.1.0.0/16; delete 10.2.0.0/16; }");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("no network \"10.2.0.0/16\" to delete")));
  EXPECT_EQ(get("10.1.0.1"), "a");
}

TEST_F(GeoTest, DeletesRanges) {
  load(
      "geo $v { ranges; 10.0.0.0-10.0.0.9 a; 10.0.1.0-10.0.1.9 b; delete 10.0.0.0-10.0.0.9; "
      "delete 10.0.1.0-10.0.1.8; }");
  EXPECT_THAT(messages(),
              ElementsAre(HasSubstr("no address range \"10.0.1.0-10.0.1.8\" to delete")));
  EXPECT_EQ(get("10.0.0.1"), "");
  EXPECT_EQ(get("10.0.1.9"), "b");
}

TEST_F(GeoTest, BelievesProxies) {
  load("geo $v { default d; proxy 192.0.2.0/24; proxy ::1; 10.0.0.0/8 a; 192.0.2.0/24 p; }");
  EXPECT_EQ(get("192.0.2.1", {"10.0.0.1"}), "a");
  EXPECT_EQ(get("::1", {"198.51.100.1, 10.0.0.1"}), "a");
  EXPECT_EQ(get("192.0.2.1", {"10.0.0.1, 192.0.2.2"}), "p");
  EXPECT_EQ(get("198.51.100.1", {"10.0.0.1"}), "d");
  EXPECT_EQ(get("192.0.2.1", {"nonsense"}), "p");
}

TEST_F(GeoTest, PassesOverProxiesInTheList) {
  load("geo $v { default d; proxy 192.0.2.0/24; proxy_recursive; 10.0.0.0/8 a; 10.0.0.2 b; }");
  EXPECT_EQ(get("192.0.2.1", {"10.0.0.2, 10.0.0.1, 192.0.2.2"}), "a");
  EXPECT_EQ(get("192.0.2.1", {"10.0.0.2", "192.0.2.2, 192.0.2.3"}), "b");
}

TEST_F(GeoTest, ReportsMistakesInNginxsWords) {
  load(
      "geo $v { default a; default b; 10.0.0.0/33 x; 10.0.0.1/8 y; nonsense z; a; b c d; ranges; "
      "proxy x; 10.0.0.0/8 again; }");
  EXPECT_THAT(
      messages(),
      ElementsAre(HasSubstr("invalid network \"10.0.0.0/33\""),
                  HasSubstr("low address bits of 10.0.0.1/8 are meaningless"),
                  HasSubstr("invalid network \"nonsense\""),
                  HasSubstr("invalid number of the geo parameters"),
                  HasSubstr("invalid number of the geo parameters"),
                  HasSubstr("the \"ranges\" directive must be the first directive inside \"geo\""),
                  HasSubstr("invalid network \"x\""),
                  HasSubstr("duplicate network \"default\", value: \"b\", old value: \"a\""),
                  HasSubstr("duplicate network \"10.0.0.0/8\", value: \"again\", old value: \"y\""),
                  HasSubstr("duplicate network \"default\", value: \"b\", old value: \"a\"")));
}

TEST_F(GeoTest, ReportsRanges) {
  load(
      "geo $v { ranges; default a; default b; 10.0.0.4-10.0.0.9 x; 10.0.0.5-10.0.0.15 y; "
      "10.0.0.0-10.0.0.5 z; 10.0.0.9-10.0.0.0 r; 10.0.0.0 s; ::1-::2 t; 10.0.0.4-10.0.0.9 u; }");
  EXPECT_THAT(
      messages(),
      ElementsAre(HasSubstr("duplicate default geo range value: \"b\", old value: \"a\""),
                  HasSubstr("range \"10.0.0.5-10.0.0.15\" overlaps \"10.0.0.4-10.0.0.9\""),
                  HasSubstr("range \"10.0.0.0-10.0.0.5\" overlaps \"10.0.0.4-10.0.0.9\""),
                  HasSubstr("invalid range \"10.0.0.9-10.0.0.0\""),
                  HasSubstr("invalid range \"10.0.0.0\""), HasSubstr("invalid range \"::1-::2\""),
                  HasSubstr("duplicate range \"10.0.0.4-10.0.0.9\", value: \"u\"")));
}

TEST_F(GeoTest, ReportsNames) {
  load("geo v { } geo a $v { } geo $host { default 1; }");
  EXPECT_THAT(messages(), ElementsAre(HasSubstr("invalid variable name \"v\""),
                                      HasSubstr("invalid variable name \"a\""),
                                      HasSubstr("the duplicate \"host\" variable")));
}

// --- against a slow look-up

TEST(GeoNetworks, AgreeWithAWalkOverAllNetworks) {
  std::mt19937 random(3);
  config::Diagnostics diagnostics;
  const config::Word word;
  for (const bool ipv6 : {false, true}) {
    const unsigned width = ipv6 ? 128 : 32;
    Geo geo{std::nullopt};
    std::vector<std::pair<GeoNetwork, Geo::Outcome>> all;
    GeoNetworks networks;
    for (int i = 0; i < 300; ++i) {
      GeoNetwork network{.ipv6 = ipv6, .prefix = static_cast<unsigned>(random() % (width + 1))};
      // Few bits differ, so that networks lie in each other.
      network.first = Ipv6Number{random() % 8} << (width - 3) | Ipv6Number{random() % 8};
      const unsigned free = width - network.prefix;
      network.first = free == 128 ? 0 : network.first >> free << free;
      const Geo::Outcome outcome = geo.outcome(std::to_string(i));
      networks.add(network, outcome, word);
      std::erase_if(all, [&](const auto& entry) {
        return entry.first.first == network.first && entry.first.prefix == network.prefix;
      });
      all.emplace_back(network, outcome);
    }
    networks.finish(geo, diagnostics);
    base::Arena arena;
    for (int i = 0; i < 2000; ++i) {
      const Ipv6Number number = Ipv6Number{random() % 8} << (width - 3) | Ipv6Number{random() % 16};
      std::string bytes;
      for (unsigned shift = width; shift > 0; shift -= 8) {
        bytes += static_cast<char>(number >> (shift - 8) & 255U);
      }
      std::optional<std::pair<unsigned, Geo::Outcome>> best;
      for (const auto& [network, outcome] : all) {
        if (number < network.first || number > network.last()) continue;
        if (!best || network.prefix >= best->first) best = {network.prefix, outcome};
      }
      exchange::Connection connection;
      if (ipv6) {
        sockaddr_in6 native{};
        native.sin6_family = AF_INET6;
        std::ranges::copy(bytes, native.sin6_addr.s6_addr);
        connection.peer =
            base::Address::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof(native));
      } else {
        sockaddr_in native{};
        native.sin_family = AF_INET;
        native.sin_addr.s_addr = htonl(static_cast<std::uint32_t>(number));
        connection.peer =
            base::Address::from_native(reinterpret_cast<const sockaddr*>(&native), sizeof(native));
      }
      exchange::Exchange exchange(connection, arena);
      Subject subject(exchange);
      EXPECT_EQ(geo.compute(subject), geo.text_of(best ? best->second : Geo::kNothing));
    }
  }
}

TEST(GeoRanges, AgreeWithAnArrayOfAddresses) {
  std::mt19937 random(5);
  for (int turn = 0; turn < 50; ++turn) {
    Geo geo{std::nullopt};
    GeoRanges ranges;
    config::Diagnostics diagnostics;
    const config::Word word;
    std::array<Geo::Outcome, 64> addresses{};
    for (int i = 0; i < 30; ++i) {
      const auto a = static_cast<std::uint32_t>(random() % 64);
      const auto b = std::min<std::uint32_t>(63, a + static_cast<std::uint32_t>(random() % 20));
      // Within one earlier range, or where nothing is: else it would be an error.
      const bool within =
          std::ranges::all_of(std::span(addresses).subspan(a, b - a + 1),
                              [&](Geo::Outcome outcome) { return outcome == addresses[a]; });
      if (!within) continue;
      const std::size_t errors = diagnostics.error_count();
      const Geo::Outcome outcome = geo.outcome(std::to_string(i));
      ranges.add({a, b}, outcome, word, geo, diagnostics);
      ASSERT_EQ(diagnostics.error_count(), errors);
      std::ranges::fill(std::span(addresses).subspan(a, b - a + 1), outcome);
    }
    ranges.finish(geo, Geo::kNothing);
    base::Arena arena;
    for (std::uint32_t address = 0; address < 64; ++address) {
      exchange::Connection connection;
      connection.peer = *base::Address::from_ip("0.0.0." + std::to_string(address), 1);
      exchange::Exchange exchange(connection, arena);
      Subject subject(exchange);
      EXPECT_EQ(geo.compute(subject), geo.text_of(addresses[address])) << address;
    }
  }
}

}  // namespace
}  // namespace script
