#include "config/values.h"

#include <gtest/gtest.h>

namespace config {
namespace {

using namespace std::chrono_literals;

TEST(Values, ReadsTimesWithUnits) {
  EXPECT_EQ(parse_duration("500ms"), 500ms);
  EXPECT_EQ(parse_duration("30s"), 30s);
  EXPECT_EQ(parse_duration("5m"), 5min);
  EXPECT_EQ(parse_duration("1d"), 24h);
  EXPECT_EQ(parse_duration("1w2d"), 9 * 24h);
  EXPECT_EQ(parse_duration("1M"), 30 * 24h);
  EXPECT_EQ(parse_duration("1y"), 365 * 24h);
}

TEST(Values, ReadsPlainNumbersAsSeconds) {
  EXPECT_EQ(parse_duration("0"), 0s);
  EXPECT_EQ(parse_duration("90"), 90s);
  EXPECT_EQ(parse_duration("1h 30m"), 90min);
  EXPECT_EQ(parse_duration("1m 30"), 90s);
}

TEST(Values, RefusesTimesThatAreNotExact) {
  for (const char* text :
       {"",   " ",    "s",    "ms",   "-1",    "+1",   "1 ",  " 1",   "1 s", "1x",
        "1S", "1.5s", "1s1s", "1s1m", "1ms1s", "1s 5", "5 5", "1h m", "1  ", "1\t2"}) {
    EXPECT_EQ(parse_duration(text), std::nullopt) << '"' << text << '"';
  }
}

TEST(Values, RefusesTimesThatOverflow) {
  EXPECT_EQ(parse_duration("9223372036854775807ms")->count(), 9223372036854775807);
  EXPECT_EQ(parse_duration("9223372036854775808ms"), std::nullopt);
  EXPECT_EQ(parse_duration("9223372036854775807s"), std::nullopt);
  EXPECT_EQ(parse_duration("99999999999999999999"), std::nullopt);
  EXPECT_EQ(parse_duration("292471208y 300d"), std::nullopt);
}

TEST(Values, RefusesMillisecondsWhereSecondsAreKept) {
  EXPECT_EQ(parse_seconds("2m"), 120s);
  EXPECT_EQ(parse_seconds("1s500ms"), std::nullopt);
}

TEST(Values, ReadsSizes) {
  EXPECT_EQ(parse_size("0"), 0U);
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("8k"), 8192U);
  EXPECT_EQ(parse_size("1M"), 1048576U);
  EXPECT_EQ(parse_size("1g"), 1073741824U);
  for (const char* text : {"", "k", "1kb", "1 k", "-1", "1t", "8589934592g", "1.5m"}) {
    EXPECT_EQ(parse_size(text), std::nullopt) << text;
  }
}

TEST(Values, ReadsFlags) {
  EXPECT_EQ(parse_flag("on"), true);
  EXPECT_EQ(parse_flag("OFF"), false);
  EXPECT_EQ(parse_flag("yes"), std::nullopt);
  EXPECT_EQ(parse_flag(""), std::nullopt);
}

}  // namespace
}  // namespace config
