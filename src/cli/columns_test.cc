#include "cli/columns.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

TEST(Columns, WrapAtSpacesAndHang) {
  const std::string text = wrapped(std::string(50, 'a') + " " + std::string(40, 'b') + " c", 2, 4);
  EXPECT_EQ(text, "  " + std::string(50, 'a') + "\n    " + std::string(40, 'b') + " c\n");
}

TEST(Columns, CutAWordThatIsTooLong) {
  const std::string text = wrapped(std::string(100, 'a'), 0, 4);
  EXPECT_EQ(text, std::string(80, 'a') + "\n    " + std::string(20, 'a') + "\n");
  EXPECT_EQ(wrapped("", 0, 4), "\n");
}

TEST(Columns, LetNothingSteerTheTerminal) {
  EXPECT_EQ(wrapped("a\x1b[31mb\nc", 0, 0), "a [31mb c\n");
  EXPECT_EQ(shortened("a\x1b[2Jb", 10), "a [2Jb");
}

TEST(Columns, ShortenInTheMiddle) {
  EXPECT_EQ(shortened("short", 5), "short");
  EXPECT_EQ(shortened("abcdefgh", 5), "ab…gh");
  EXPECT_EQ(shortened("äöüäöüä", 5), "äö…üä");
}

TEST(Columns, ShowLargeNumbersShortly) {
  EXPECT_EQ(with_prefix(0), "0");
  EXPECT_EQ(with_prefix(999), "999");
  EXPECT_EQ(with_prefix(1000), "1.0 k");
  EXPECT_EQ(with_prefix(999'600), "1.0 M");
  EXPECT_EQ(with_prefix(123'456'789), "123 M");
}

}  // namespace
}  // namespace cli
