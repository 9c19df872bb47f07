#include "base/lru_cache.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

namespace base {
namespace {

TEST(LruCache, KeepsWhatWasAskedForLast) {
  LruCache<int, std::string> cache(2);
  cache.put(1, "one");
  cache.put(2, "two");
  ASSERT_NE(cache.find(1), nullptr);
  cache.put(3, "three");
  EXPECT_EQ(cache.find(2), nullptr) << "nobody asked for it since";
  EXPECT_EQ(*cache.find(1), "one");
  EXPECT_EQ(*cache.find(3), "three");
  EXPECT_EQ(cache.size(), 2U);
}

TEST(LruCache, ReplacesTheValueOfAKey) {
  LruCache<std::string, std::unique_ptr<int>> cache(2);
  cache.put("a", std::make_unique<int>(1));
  cache.put("b", std::make_unique<int>(2));
  cache.put("a", std::make_unique<int>(3));
  EXPECT_EQ(**cache.find("a"), 3);
  EXPECT_EQ(**cache.find("b"), 2);
}

TEST(LruCache, ForgetsWhatItIsToldTo) {
  LruCache<int, int> cache(8);
  for (int i = 0; i < 8; ++i) cache.put(i, i * i);
  cache.erase_if([](int key, int value) { return key % 2 == 0 || value > 30; });
  EXPECT_EQ(cache.size(), 3U);
  EXPECT_EQ(cache.find(0), nullptr);
  EXPECT_EQ(*cache.find(3), 9);
  EXPECT_EQ(cache.find(7), nullptr);
}

TEST(LruCache, ShrinksToALowerBound) {
  LruCache<int, int> cache(4);
  for (int i = 0; i < 4; ++i) cache.put(i, i);
  ASSERT_NE(cache.find(0), nullptr);
  cache.set_most(2);
  EXPECT_EQ(cache.size(), 2U);
  EXPECT_NE(cache.find(0), nullptr);
  EXPECT_NE(cache.find(3), nullptr);
}

}  // namespace
}  // namespace base
