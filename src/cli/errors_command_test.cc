#include "cli/errors_command.h"

#include <gtest/gtest.h>

namespace cli {
namespace {

TEST(MergeLines, OrdersThoseOfTwoProcessesByTheirTimes) {
  EXPECT_EQ(merge_lines("2026/11/27 10:00:00 [notice] 1#1: a\n"
                        "2026/11/27 10:00:02 [notice] 1#1: d\n",
                        "2026/11/27 10:00:00 [notice] 2#2: b\n"
                        "2026/11/27 10:00:01 [error] 2#2: c\n"
                        "2026/11/27 10:00:03 [error] 2#2: e\n"),
            "2026/11/27 10:00:00 [notice] 1#1: a\n"
            "2026/11/27 10:00:00 [notice] 2#2: b\n"
            "2026/11/27 10:00:01 [error] 2#2: c\n"
            "2026/11/27 10:00:02 [notice] 1#1: d\n"
            "2026/11/27 10:00:03 [error] 2#2: e\n");
}

TEST(MergeLines, KnowsTheTimesOfJson) {
  EXPECT_EQ(merge_lines("{\"time\":\"2026-11-27T10:00:01+00:00\",\"level\":\"error\"}\n",
                        "2026/11/27 10:00:00 [notice] 2#2: b\n"),
            "2026/11/27 10:00:00 [notice] 2#2: b\n"
            "{\"time\":\"2026-11-27T10:00:01+00:00\",\"level\":\"error\"}\n");
}

TEST(MergeLines, NeedsNeither) {
  EXPECT_EQ(merge_lines("", ""), "");
  EXPECT_EQ(merge_lines("", "a\n"), "a\n");
}

}  // namespace
}  // namespace cli
