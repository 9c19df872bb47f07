#include "io/hosts_file.h"

#include <gtest/gtest.h>

namespace io {
namespace {

std::string first(const HostsTable& table, std::string_view name) {
  const auto* found = table.find(name);
  return found == nullptr ? "-" : found->front().ip_text();
}

TEST(HostsTable, FindsNamesAndAliasesInAnyCase) {
  const HostsTable table = HostsTable::parse(
      "# a comment\n127.0.0.1\tLocalHost\n\n10.0.0.7 app.example app App2 # more\r\n::1 localhost");
  EXPECT_EQ(first(table, "app.example"), "10.0.0.7");
  EXPECT_EQ(first(table, "app"), "10.0.0.7");
  EXPECT_EQ(first(table, "app2"), "10.0.0.7");
  ASSERT_NE(table.find("localhost"), nullptr);
  EXPECT_EQ(table.find("localhost")->size(), 2U);
  EXPECT_EQ(first(table, "more"), "-");
}

TEST(HostsTable, LeavesOutWhatIsNoAddress) {
  const HostsTable table =
      HostsTable::parse("fe80::1%eth0 zone\n[::1] bracket\n300.1.1.1 big\nname 10.0.0.1\n10.0.0.1");
  EXPECT_EQ(table.size(), 0U);
}

TEST(HostsTable, BoundsTheAddressesOfAName) {
  std::string text;
  for (int i = 0; i < 200; ++i) text += "10.0.0." + std::to_string(i) + " many\n";
  EXPECT_EQ(HostsTable::parse(text).find("many")->size(), HostsTable::kMaxAddresses);
  EXPECT_EQ(HostsTable::parse("10.0.0.1 a\n10.0.0.1 a\n").find("a")->size(), 1U);
  EXPECT_EQ(HostsTable::parse("10.0.0.1 " + std::string(300, 'x')).size(), 0U);
}

}  // namespace
}  // namespace io
