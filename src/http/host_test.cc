#include "http/host.h"

#include <gtest/gtest.h>

#include <string>

namespace http {
namespace {

std::string parsed(std::string_view text) {
  base::Arena arena;
  const auto result = parse_host(text, arena);
  return result ? std::string(result->host) + "|" + std::to_string(result->port) : "!";
}

TEST(ParseHost, TakesNamesAndAddresses) {
  EXPECT_EQ(parsed("Example.COM"), "example.com|0");
  EXPECT_EQ(parsed("example.com.:8080"), "example.com|8080");
  EXPECT_EQ(parsed("example.com:"), "example.com|0");
  EXPECT_EQ(parsed("my_host-1"), "my_host-1|0");
  EXPECT_EQ(parsed("10.0.0.1:65535"), "10.0.0.1|65535");
  EXPECT_EQ(parsed("[2001:DB8::1]:443"), "[2001:db8::1]|443");
  EXPECT_EQ(parsed("[::ffff:1.2.3.4]"), "[::ffff:1.2.3.4]|0");
  EXPECT_EQ(parsed(std::string(255, 'a')), std::string(255, 'a') + "|0");
}

TEST(ParseHost, RefusesEverythingElse) {
  for (const std::string_view bad :
       {"",       ".",         "a..b",         ".a",       "a..",  "a b",   "a/b",      "u@a",
        "a:b",    "a:0",       "a:65536",      "a:123456", "a:-1", "a:1:2", "[::1",     "[]",
        "[::1]x", "[1.2.3.4]", "[::1%25eth0]", "a%2eb",    "a,b",  "a!",    "\xc3\xa4", ":80"}) {
    EXPECT_EQ(parsed(bad), "!") << bad;
  }
  EXPECT_EQ(parsed(std::string(256, 'a')), "!");
}

TEST(ParseHost, CopiesOnlyWhatChanges) {
  base::Arena arena;
  constexpr std::string_view kText = "example.com:80";
  const auto result = parse_host(kText, arena);
  ASSERT_TRUE(result.has_value());
  EXPECT_EQ(result->host.data(), kText.data());
  EXPECT_EQ(arena.used(), 0U);
}

}  // namespace
}  // namespace http
