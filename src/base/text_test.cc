#include "base/text.h"

#include <gtest/gtest.h>

namespace base {
namespace {

TEST(ParseNumber, TakesDigitsOnlyAndNoOverflow) {
  EXPECT_EQ(parse_number<std::uint16_t>("65535"), 65535);
  for (const char* bad : {"", "65536", "+1", "-1", " 1", "1 ", "0x1", "1a"}) {
    EXPECT_FALSE(parse_number<std::uint16_t>(bad)) << bad;
  }
}

TEST(Nearest, FindsATypoAndIgnoresStrangers) {
  constexpr std::string_view kWords[] = {"proxy_pass", "proxy_redirect", "listen"};
  EXPECT_EQ(nearest("proxy_psas", kWords), "proxy_pass");
  EXPECT_EQ(nearest("lisen", kWords), "listen");
  EXPECT_EQ(nearest("gzip", kWords), std::nullopt);
}

TEST(Trim, RemovesSpacesAndTabsAtBothEndsOnly) {
  EXPECT_EQ(trim(" \ta b\t "), "a b");
  EXPECT_EQ(trim(" \t "), "");
}

}  // namespace
}  // namespace base
