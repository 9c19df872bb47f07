#include "observe/memory_log.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

namespace observe {
namespace {

constexpr std::size_t kSize = MemoryLog::kSmallest;

TEST(MemoryLog, KeepsLinesInTheirOrder) {
  MemoryLog log;
  EXPECT_FALSE(log.is_used());
  EXPECT_EQ(log.text(), "");
  log.append("one\n", kSize);
  log.append("two\n", kSize);
  EXPECT_TRUE(log.is_used());
  EXPECT_EQ(log.text(), "one\ntwo\n");
}

TEST(MemoryLog, KeepsTheNewestWholeLines) {
  MemoryLog log;
  for (int i = 0; i < 5000; ++i) {
    log.append(fmt::format("line {}\n", i), kSize);
    const std::string text = log.text();
    ASSERT_LE(text.size(), kSize);
    ASSERT_TRUE(text.starts_with("line ")) << i;
    ASSERT_TRUE(text.ends_with(fmt::format("line {}\n", i)));
    if (i > 1000) {
      ASSERT_GT(text.size(), kSize - 20) << i;
    }
  }
}

TEST(MemoryLog, GrowsWithoutALossAndDoesNotShrink) {
  MemoryLog log;
  for (int i = 0; i < 2000; ++i) log.append(fmt::format("line {}\n", i), kSize);
  const std::string before = log.text();
  log.append("a line for the larger one\n", 4 * kSize);
  EXPECT_EQ(log.text(), before + "a line for the larger one\n");
  log.append("and one for the smaller\n", kSize);
  EXPECT_EQ(log.text(), before + "a line for the larger one\nand one for the smaller\n");
}

TEST(MemoryLog, GivesNoMoreThanIsWanted) {
  MemoryLog log;
  log.append("one\n", kSize);
  log.append("two\n", kSize);
  log.append("three\n", kSize);
  EXPECT_EQ(log.text(14), "one\ntwo\nthree\n");
  EXPECT_EQ(log.text(13), "two\nthree\n");
  EXPECT_EQ(log.text(10), "two\nthree\n");
  EXPECT_EQ(log.text(9), "three\n");
  EXPECT_EQ(log.text(5), "");
}

}  // namespace
}  // namespace observe
